//! Signals as messages.

use std::io;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// A request to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// SIGTERM
    Terminated,
    /// SIGINT
    Interrupt,
}

impl Stop {
    /// Its name in the log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Stop::Terminated => "terminated",
            Stop::Interrupt => "interrupt",
        }
    }
}

/// Has the first SIGTERM or SIGINT sent to `stop`; later ones are ignored. SIGHUP keeps its default: without hot reload
/// it ends the process.
///
/// # Errors
/// The handlers cannot be installed.
pub(super) fn watch(stop: impl FnOnce(Stop) + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let mut stop = Some(stop);
    std::thread::Builder::new().name("signals".to_owned()).stack_size(64 << 10).spawn(move || {
        for signal in signals.forever() {
            if let Some(stop) = stop.take() {
                stop(if signal == SIGINT { Stop::Interrupt } else { Stop::Terminated });
            }
        }
    })?;
    Ok(())
}
