//! A sockguard in front of the private Engine, and the clients that talk to either of them.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A command that is not done after this hangs. Building and loading images take seconds here.
const COMMAND_SECONDS: &str = "120";
const START: Duration = Duration::from_secs(10);
const STOP: Duration = Duration::from_secs(35);
/// Until a line of the log is written.
const LOGGED: Duration = Duration::from_secs(5);

/// Socket of the Engine that `dev/docker-engine start` started.
///
/// # Panics
/// When no Engine answers there: these tests have nothing to say without one.
pub(crate) fn engine_socket() -> PathBuf {
    let folder = || {
        std::env::var_os("SOCKGUARD_ENGINE_DIR")
            .map_or_else(|| std::env::temp_dir().join("sockguard-engine"), PathBuf::from)
    };
    let socket =
        std::env::var_os("SOCKGUARD_ENGINE_SOCKET").map_or_else(|| folder().join("docker.sock"), PathBuf::from);
    if let Err(error) = UnixStream::connect(&socket) {
        panic!("no Engine answers on {}: {error}. Start one with: dev/docker-engine start", socket.display());
    }
    socket
}

/// The rules of a proxy that lets everything pass: what a client sees must be what the Engine says.
pub(crate) fn allow_everything() -> Value {
    json!([{"match": {"method": "*", "path": "/**"}, "action": "allow"}])
}

/// Everything but removing containers and running commands in them.
pub(crate) fn deny_removal_and_exec() -> Value {
    json!([
        {"match": {"method": "DELETE", "path": "/containers/*"}, "action": "deny", "reason": "containers stay"},
        {"match": {"method": "POST", "path": "/containers/*/exec"}, "action": "deny", "reason": "no exec"},
        {"match": {"method": "*", "path": "/**"}, "action": "allow"},
    ])
}

/// A running sockguard. Ends with SIGTERM when it is dropped, and must end well.
pub(crate) struct Guarded {
    process: Child,
    folder: TempDir,
    engine: PathBuf,
}

impl Guarded {
    /// A proxy with these rules and no other restriction that the clients' calls could meet.
    pub(crate) fn start(rules: Value) -> Self {
        Self::lenient(rules, false)
    }

    /// A proxy that allows every call and takes out of the answers all that it can.
    pub(crate) fn redacting() -> Self {
        Self::lenient(allow_everything(), true)
    }

    fn lenient(rules: Value, redacts: bool) -> Self {
        Self::configured(json!({
            "insecure_allow_body_blind_writes": true,
            "insecure_allow_read_exfiltration": true,
            "response": {
                "deny_verbosity": "verbose",
                "redact_container_env": redacts,
                "redact_mount_paths": redacts,
                "redact_network_topology": redacts,
                "redact_sensitive_data": redacts,
            },
            "request_body": {
                "exec": {"allow_root_user": true},
                "image_pull": {"allow_imports": true, "allow_all_registries": true},
                "image_load": {"allow_all_registries": true, "allow_untagged": true},
                "build": {"allow_run_instructions": true},
                "network": {"allow_attachable": true, "allow_endpoint_config": true},
            },
            "rules": rules,
        }))
    }

    /// A proxy that allows every path and is as strict as it is by default with what requests carry and answers show.
    pub(crate) fn strict() -> Self {
        Self::configured(json!({
            "insecure_allow_body_blind_writes": true,
            "insecure_allow_read_exfiltration": true,
            "response": {"deny_verbosity": "verbose"},
            "rules": allow_everything(),
        }))
    }

    fn configured(mut config: Value) -> Self {
        let engine = engine_socket();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let socket = folder.path().join("guarded.sock");
        config["listen"] = json!({"socket": socket});
        config["upstream"] = json!({"socket": engine});
        let file = folder.path().join("sockguard.yaml");
        std::fs::write(&file, config.to_string()).expect("the configuration is written");
        let log = std::fs::File::create(folder.path().join("sockguard.log")).expect("the log is created");
        // The environment configures the proxy too: it gets none of ours.
        let process = Command::new(env!("CARGO_BIN_EXE_sockguard"))
            .args([OsStr::new("serve"), OsStr::new("--config"), file.as_os_str()])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log is shared"))
            .stderr(log)
            .spawn()
            .expect("sockguard starts");
        let mut guarded = Self { process, folder, engine };
        let deadline = Instant::now() + START;
        while UnixStream::connect(&socket).is_err() {
            let ended = guarded.process.try_wait().expect("its state is known");
            assert!(ended.is_none() && Instant::now() < deadline, "sockguard did not start: {}", guarded.log());
            std::thread::park_timeout(Duration::from_millis(10));
        }
        guarded
    }

    /// The `docker` command through the proxy.
    pub(crate) fn docker(&self, arguments: &[&str]) -> Run {
        Run::docker(&self.socket(), &self.folder, arguments)
    }

    /// The `docker` command straight at the Engine: the view that the proxy's must equal.
    pub(crate) fn direct(&self, arguments: &[&str]) -> Run {
        Run::docker(&self.engine, &self.folder, arguments)
    }

    /// Any other command, with the proxy as its Docker host.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Run {
        Run::new(&self.socket(), &self.folder, program.as_ref(), arguments)
    }

    /// The proxy's socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("guarded.sock")
    }

    /// A folder for the test's own files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A container, volume, network or image name that no other test uses; whatever has it goes away with the result.
    pub(crate) fn named(&self, kind: Kind) -> Named {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Named { name: format!("sockguard-test-{}-{number}", std::process::id()), kind, engine: self.engine.clone() }
    }

    /// Waits until the proxy has logged a line with these words in any case, written a moment after the answer.
    pub(crate) fn logs(&self, words: &str) {
        let deadline = Instant::now() + LOGGED;
        while !self.log().to_lowercase().contains(&words.to_lowercase()) {
            assert!(Instant::now() < deadline, "`{words}` is not logged: {}", self.log());
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("sockguard.log")).unwrap_or_default()
    }

    fn terminate(&mut self) -> Result<(), String> {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).map_err(|e| e.to_string())?;
        let deadline = Instant::now() + STOP;
        loop {
            match self.process.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(status.to_string()),
                Ok(None) if Instant::now() < deadline => std::thread::park_timeout(Duration::from_millis(10)),
                Ok(None) => {
                    let _ = self.process.kill();
                    let _ = self.process.wait();
                    return Err("still there long after SIGTERM".to_owned());
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let ended = self.terminate();
        if std::thread::panicking() {
            eprintln!("log of sockguard:\n{}", self.log());
        } else if let Err(how) = ended {
            panic!("sockguard ended badly: {how}\n{}", self.log());
        }
    }
}

/// What a [`Named`] is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A container.
    Container,
    /// An image, to be tagged with the name.
    Image,
    /// A network.
    Network,
    /// A volume.
    Volume,
}

/// A name at the Engine that is removed at the end, straight at the Engine.
pub(crate) struct Named {
    name: String,
    kind: Kind,
    engine: PathBuf,
}

impl std::ops::Deref for Named {
    type Target = str;

    fn deref(&self) -> &str {
        &self.name
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let remove: &[&str] = match self.kind {
            Kind::Container => &["rm", "--force", "--volumes"],
            Kind::Image => &["rmi", "--force"],
            Kind::Network => &["network", "rm"],
            Kind::Volume => &["volume", "rm", "--force"],
        };
        // Most tests have removed it themselves.
        let _ = Command::new("docker")
            .arg("--host")
            .arg(host(&self.engine))
            .args(remove)
            .arg(&self.name)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

/// A client command that is about to run.
pub(crate) struct Run {
    command: Command,
    line: String,
    input: Vec<u8>,
}

impl Run {
    fn docker(socket: &Path, folder: &TempDir, arguments: &[&str]) -> Self {
        Self::new(socket, folder, OsStr::new("docker"), arguments)
    }

    fn new(socket: &Path, folder: &TempDir, program: &OsStr, arguments: &[&str]) -> Self {
        let mut command = Command::new("timeout");
        command
            .args(["--signal=KILL", COMMAND_SECONDS])
            .arg(program)
            .args(arguments)
            .env("DOCKER_HOST", host(socket))
            .env("DOCKER_CONFIG", folder.path())
            .env("DOCKER_BUILDKIT", "0")
            .env_remove("DOCKER_CONTEXT")
            .env_remove("DOCKER_TLS_VERIFY")
            .env_remove("DOCKER_API_VERSION")
            .current_dir(folder.path());
        let line = format!("{} {}", Path::new(program).display(), arguments.join(" "));
        Self { command, line, input: Vec::new() }
    }

    /// Writes this to its standard input and ends it there.
    pub(crate) fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// Its standard output; it must succeed.
    pub(crate) fn ok(self) -> String {
        let (line, output) = self.output();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "`{line}` failed with {}\n--- output\n{text}\n--- errors\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }

    /// Its exit code and all that it printed; it must fail.
    pub(crate) fn fails(self) -> (i32, String) {
        let (line, output) = self.output();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success(), "`{line}` succeeded, printing {text}");
        (output.status.code().unwrap_or(-1), text)
    }

    /// Runs it beside the test.
    pub(crate) fn start(mut self) -> Running {
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap_or_else(|e| panic!("`{}`: {e}", self.line));
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        Running { child, input, output, line: self.line }
    }

    fn output(mut self) -> (String, std::process::Output) {
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("`{}`: {e}", self.line));
        let mut stdin = child.stdin.take().expect("its input is piped");
        let input = std::mem::take(&mut self.input);
        // Beside the reading below: both pipes are small. A command that does not read its input is fine.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().expect("its output is read");
        writer.join().expect("its input is written");
        (self.line, output)
    }
}

/// A client command that runs beside the test.
pub(crate) struct Running {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    line: String,
}

impl Running {
    /// The next line of its output that contains `text`.
    pub(crate) fn line_with(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).expect("its output is text");
            assert_ne!(read, 0, "`{}` ended without a line with {text:?}", self.line);
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Types this.
    pub(crate) fn send(&mut self, text: &str) {
        let input = self.input.as_mut().expect("its input is open");
        input.write_all(text.as_bytes()).and_then(|()| input.flush()).expect("it reads its input");
    }

    /// Ends its input and waits for its end: the rest of its output, and its exit code.
    pub(crate) fn end(mut self) -> (String, i32) {
        drop(self.input.take());
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.output, &mut rest).expect("its output is text");
        let status = self.child.wait().expect("it ends");
        (rest, status.code().unwrap_or(-1))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that called `end` has no process left here. `timeout` leads a group of its own, and a client that
        // follows a stream may well ignore SIGTERM.
        if let Ok(None) = self.child.try_wait() {
            let pid = rustix::process::Pid::from_child(&self.child);
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

fn host(socket: &Path) -> String {
    format!("unix://{}", socket.display())
}
