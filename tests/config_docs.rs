//! The reference page is what the table of the configuration says.

#[test]
fn the_page_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let page = std::fs::read_to_string(path).expect("the page");
    assert!(
        page == sockguard::config::reference::markdown(),
        "docs/configuration.md is stale: cargo run -- schema --output markdown > docs/configuration.md"
    );
}

/// The YAML examples of the pages are configurations that validate.
#[test]
fn examples_are_right() {
    use sockguard::config::{Candidate, Environment, Layers, Overrides, compile};
    let page = include_str!("../docs/migration.md");
    let mut examples = 0;
    for example in page.split("```yaml\n").skip(1) {
        let yaml = example.split("```").next().unwrap_or_default();
        let environment = Environment::default();
        let candidate =
            Candidate::from_bytes(yaml.as_bytes(), Layers::Environment(&environment), &Overrides::default());
        let outcome = candidate.and_then(|candidate| compile(&candidate).map(|_| ()));
        assert_eq!(outcome, Ok(()), "{yaml}");
        examples += 1;
    }
    assert_eq!(examples, 1);
}
