//! The product as a process, and what the kernel says about it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Client, PATIENCE};

/// How long the product may take to end after SIGTERM.
const STOP: Duration = Duration::from_secs(8);

/// Rules that let everything pass: what is refused then is refused by the parsers alone.
pub(crate) fn allow_everything() -> Value {
    json!([{"match": {"method": "*", "path": "/**"}, "action": "allow"}])
}

/// Rules that let these pass, each `METHOD PATH`.
pub(crate) fn allow(rules: &[&str]) -> Value {
    let rule = |rule: &&str| {
        let (method, path) = rule.split_once(' ').expect("METHOD PATH");
        json!({"match": {"method": method, "path": path}, "action": "allow"})
    };
    rules.iter().map(rule).collect()
}

/// What the product listens on.
#[derive(Clone, Debug)]
pub(crate) enum Listen {
    /// `proxy.sock` in the test's folder.
    Unix,
    /// This loopback address; port 0 is any.
    Tcp(String),
}

/// How the product is started.
pub(crate) struct Setup {
    shards: usize,
    listen: Listen,
    rules: Value,
    descriptors: Option<u64>,
    redact: bool,
}

impl Setup {
    /// On a unix socket, with this many shards and these rules.
    pub(crate) fn new(shards: usize, rules: Value) -> Self {
        Self { shards, listen: Listen::Unix, rules, descriptors: None, redact: false }
    }

    /// On any loopback port.
    pub(crate) fn tcp(mut self) -> Self {
        self.listen = Listen::Tcp("127.0.0.1:0".to_owned());
        self
    }

    /// On this address.
    pub(crate) fn at(mut self, address: SocketAddr) -> Self {
        self.listen = Listen::Tcp(address.to_string());
        self
    }

    /// With a hard limit of this many descriptors.
    pub(crate) fn descriptors(mut self, limit: u64) -> Self {
        self.descriptors = Some(limit);
        self
    }

    /// With all redaction on, as it is by default.
    pub(crate) fn redact(mut self) -> Self {
        self.redact = true;
        self
    }

    /// Starts it in front of the Engine at `engine` and waits until it serves.
    pub(crate) fn start(self, engine: &Path) -> Proxy {
        let folder = tempfile::tempdir().expect("a folder");
        self.start_in(engine, folder).unwrap_or_else(|log| panic!("sockguard did not start:\n{log}"))
    }

    /// As [`Setup::start`], in a folder that an earlier one may have used.
    pub(crate) fn start_in(self, engine: &Path, folder: TempDir) -> Result<Proxy, String> {
        let socket = folder.path().join("proxy.sock");
        let listen = match &self.listen {
            Listen::Unix => json!({"socket": socket}),
            Listen::Tcp(address) => json!({"address": address}),
        };
        let config = json!({
            "listen": listen,
            "upstream": {"socket": engine},
            "log": {"level": "info", "access_log": false},
            "insecure_allow_body_blind_writes": true,
            "insecure_allow_read_exfiltration": true,
            "response": {
                "redact_container_env": self.redact,
                "redact_mount_paths": self.redact,
                "redact_network_topology": self.redact,
                "redact_sensitive_data": self.redact,
            },
            "rules": self.rules,
        });
        let file = folder.path().join("sockguard.yaml");
        std::fs::write(&file, config.to_string()).expect("the configuration is written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_sockguard"));
        command.arg("serve").arg("--config").arg(&file).env_clear().env("SOCKGUARD_SHARDS", self.shards.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        if let Some(limit) = self.descriptors {
            let limit = rustix::process::Rlimit { current: Some(limit), maximum: Some(limit) };
            let lower = move || Ok(rustix::process::setrlimit(rustix::process::Resource::Nofile, limit)?);
            // SAFETY: between fork and exec it makes one system call and allocates nothing.
            unsafe { command.pre_exec(lower) };
        }
        let mut process = command.spawn().expect("sockguard starts");
        let log = Arc::new(Mutex::new(String::new()));
        let (started, starts) = std::sync::mpsc::channel();
        let lines = BufReader::new(process.stderr.take().expect("its errors are piped")).lines();
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut kept = kept.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
                if line.contains("sockguard started") {
                    let _ = started.send(Some(address_in(&line)));
                }
            }
            let _ = started.send(None);
        });
        match starts.recv_timeout(PATIENCE) {
            Ok(Some(address)) => Ok(Proxy { process, folder: Some(folder), socket, address, log, ended: false }),
            _ => {
                let _ = process.kill();
                let _ = process.wait();
                let text = log.lock().unwrap().clone();
                Err(text)
            }
        }
    }
}

fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("tcp://")?;
    rest.split('"').next()?.parse().ok()
}

/// The running product. Dropping it asks it to end, and it must end well.
pub(crate) struct Proxy {
    process: Child,
    folder: Option<TempDir>,
    socket: PathBuf,
    address: Option<SocketAddr>,
    log: Arc<Mutex<String>>,
    ended: bool,
}

impl Proxy {
    /// A new client connection.
    pub(crate) fn connect(&self) -> Client {
        match self.address {
            Some(address) => Client::tcp(address),
            None => Client::unix(&self.socket),
        }
    }

    /// The TCP address that it listens on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address.expect("it listens on TCP")
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Panics unless it still answers on a new connection, and has never panicked.
    pub(crate) fn must_serve(&self) {
        let answer = self.connect().ask("GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n");
        assert_eq!(answer.status, 200, "{answer:?}\n{}", self.log());
        assert!(!self.log().contains("panicked"), "{}", self.log());
    }

    /// Descriptors that it holds.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).expect("it runs").count()
    }

    /// A line of its `/proc/PID/status`, in KiB.
    pub(crate) fn memory_kib(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).expect("a known name");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Forgets the peak of its memory, so that `VmHWM` counts from now.
    pub(crate) fn reset_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.process.id()), "5").expect("its peak is reset");
    }

    /// CPU time of each shard, in nanoseconds. Its threads are named `shard-INDEX-EXECUTOR`.
    pub(crate) fn shard_nanoseconds(&self) -> Vec<u64> {
        let mut shards = BTreeMap::new();
        for task in std::fs::read_dir(format!("/proc/{}/task", self.process.id())).expect("it runs") {
            let task = task.expect("a task").path();
            let name = std::fs::read_to_string(task.join("comm")).unwrap_or_default();
            let index =
                name.trim().strip_prefix("shard-").and_then(|rest| rest.split('-').next()?.parse::<usize>().ok());
            if let Some(index) = index {
                let spent = std::fs::read_to_string(task.join("schedstat")).unwrap_or_default();
                let spent = spent.split(' ').next().and_then(|spent| spent.parse().ok()).unwrap_or(0);
                *shards.entry(index).or_insert(0) += spent;
            }
        }
        shards.into_values().collect()
    }

    /// Ends it as a crash does; the folder, and the socket in it, stay.
    pub(crate) fn kill(mut self) -> TempDir {
        self.ended = true;
        self.process.kill().expect("it is ours");
        self.process.wait().expect("it ends");
        self.folder.take().expect("it was not taken")
    }

    fn terminate(&mut self) -> Result<(), String> {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).map_err(|error| error.to_string())?;
        let deadline = Instant::now() + STOP;
        loop {
            match self.process.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(status.to_string()),
                Ok(None) if Instant::now() < deadline => std::thread::park_timeout(Duration::from_millis(5)),
                Ok(None) => return Err("still there long after SIGTERM".to_owned()),
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let ended = self.terminate();
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("log of sockguard:\n{}", self.log());
        } else if let Err(how) = ended {
            panic!("sockguard ended badly: {how}\n{}", self.log());
        }
    }
}
