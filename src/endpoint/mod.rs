//! Metrics route templates.

/// One of a closed set of route templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route(u8);

const TEMPLATES: &[&str] = &["unknown", "/_ping", "/info", "/containers/json", "/containers/{id}/json", "/..."];

impl Route {
    /// Number of routes.
    pub const COUNT: usize = TEMPLATES.len();
    /// The route of a request without a path.
    pub const UNKNOWN: Route = Route(0);

    /// The route of a path.
    #[must_use]
    pub fn of(path: &[u8]) -> Route {
        match path {
            b"/_ping" => Route(1),
            b"/info" => Route(2),
            b"/containers/json" => Route(3),
            path if path.starts_with(b"/containers/") => Route(4),
            b"" => Route::UNKNOWN,
            _ => Route(5),
        }
    }

    /// Every route once, in index order.
    pub fn all() -> impl Iterator<Item = Route> {
        (0..=u8::MAX).take(Route::COUNT).map(Route)
    }

    /// The label value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        TEMPLATES.get(self.index()).copied().unwrap_or("unknown")
    }

    /// Position among all routes.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}
