//! temporary
use sockguard::config::*;
use std::sync::Arc;
fn main() -> std::process::ExitCode {
    let path = std::env::args().nth(3).unwrap();
    let file = ConfigFile::Explicit(path.into());
    let cand = match Candidate::load(&file, &Environment::from_process(), &Overrides::default()) { Ok(c) => c, Err(e) => { eprintln!("{e:?}"); return 1.into() } };
    let (settings, plan) = match compile(&cand) { Ok(c) => c, Err(e) => { eprintln!("{:?}", e.lines()); return 1.into() } };
    let server = match sockguard::control::Server::bind(&settings, (*plan).clone(), Default::default(), Arc::new(sockguard::observe::Observer)) { Ok(s) => s, Err(e) => { eprintln!("{e}"); return 1.into() } };
    match server.run(|a| eprintln!("serving {a}")) { Ok(_) => 0.into(), Err(e) => { eprintln!("{e}"); 1.into() } }
}
