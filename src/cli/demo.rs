//! `sockguard demo`: a tour of requests through a real sockguard, each with its verdict.
//!
//! Starts sockguard as its users do (this program, `serve --config FILE`), in front of the machine's Docker socket when
//! there is one and of the scripted Engine otherwise, and sends plain HTTP. It succeeds only when every verdict is as
//! expected and no denied request reached the Engine. It must not change anything at a real Engine: what the tour
//! allows only reads, and what it denies names a container or an image that does not exist. All that it writes is in a private
//! folder that goes away with it.

use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};

use crate::scripted::ScriptedEngine;

/// The Docker socket that the demo uses when it answers.
const DOCKER_SOCKET: &str = "/var/run/docker.sock";
/// The container that the tour speaks of; the scripted Engine has it, and a real one has no reason to.
const CONTAINER: &str = "sockguard-demo-runner";
/// Longest wait for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for the listener.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for the end after SIGTERM; the drain has 30 s.
const STOP_TIMEOUT: Duration = Duration::from_secs(35);
/// Between two looks at a process that starts or ends.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// An answer of a real Engine may be long; the tour needs its head and the beginning of its body.
const ANSWER_MAX_BYTES: u64 = 1 << 20;

/// What the tour is allowed: reading the state, and attaching to one container. Everything else is denied.
const RULES: &str = "\
rules:
  - match: { method: 'GET,HEAD', path: /_ping }
    action: allow
  - match: { method: GET, path: /version }
    action: allow
  - match: { method: GET, path: /containers/json }
    action: allow
  - match: { method: GET, path: /events }
    action: allow
  - match: { method: POST, path: /containers/sockguard-demo-runner/attach }
    action: allow
  - match: { method: '*', path: /** }
    action: deny
    reason: no rule of the demo allows this
";

/// Runs the demo and writes its table to `out`; true only when every verdict was as expected. Whatever went wrong is
/// said on `out`.
pub fn run(out: &mut dyn Write) -> bool {
    demonstrate(out).unwrap_or_else(|error| {
        // Nobody is left to tell when this fails.
        let _ = writeln!(out, "the demo failed: {error:#}");
        false
    })
}

fn demonstrate(out: &mut dyn Write) -> Result<bool> {
    let folder = PrivateFolder::create()?;
    let engine = Engine::find(&folder.0)?;
    let socket = folder.0.join("sockguard.sock");
    let configuration = folder.0.join("sockguard.yaml");
    std::fs::write(&configuration, policy(&socket, engine.socket())).context("cannot write the policy")?;

    writeln!(out, "sockguard in front of {}\n", engine.description())?;
    writeln!(out, "{RULES}")?;
    let mut server = Server::start(&configuration, &socket, &folder.0.join("sockguard.log"))?;
    let mut verdicts = tour(&socket, &engine);
    verdicts.push(server.stop());
    verdicts.extend(engine.leaks());

    write_table(out, &verdicts)?;
    let failed = verdicts.iter().filter(|verdict| !verdict.holds).count();
    if failed > 0 {
        writeln!(out, "\nlog of sockguard:\n{}", server.log())?;
    }
    writeln!(out, "\n{} of {} as expected", verdicts.len() - failed, verdicts.len())?;
    Ok(failed == 0)
}

fn policy(socket: &Path, engine: &Path) -> String {
    // Strings of JSON are strings of YAML, whatever the paths contain.
    let quoted = |path: &Path| serde_json::Value::from(path.to_string_lossy()).to_string();
    format!(
        "listen:\n  socket: {}\nupstream:\n  socket: {}\nlog:\n  level: warn\nresponse:\n  redact_container_env: false\n  \
         redact_mount_paths: false\n  redact_network_topology: false\n  redact_sensitive_data: false\n{RULES}",
        quoted(socket),
        quoted(engine)
    )
}

// ---- the tour

/// What should become of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// The Engine answers, with this status.
    Allow(u16),
    /// sockguard answers 403 and the Engine sees nothing.
    Deny,
}

#[derive(Debug)]
struct Verdict {
    request: String,
    happened: String,
    expected: &'static str,
    holds: bool,
}

impl Verdict {
    fn new(request: impl Into<String>, expected: &'static str, outcome: Result<String>) -> Self {
        let holds = outcome.is_ok();
        let happened = outcome.unwrap_or_else(|error| format!("{error:#}"));
        Self { request: request.into(), happened, expected, holds }
    }
}

fn tour(socket: &Path, engine: &Engine) -> Vec<Verdict> {
    // What is allowed comes without a version, because a real Engine may be older or newer than any that we name.
    let container = |action: &str| format!("/v1.45/containers/{CONTAINER}{action}");
    let privileged = r#"{"Image":"sockguard-demo-no-such-image","HostConfig":{"Privileged":true}}"#;
    let requests = [
        ("GET", "/_ping".to_owned(), "", Expected::Allow(200)),
        ("HEAD", "/_ping".to_owned(), "", Expected::Allow(200)),
        ("GET", "/version".to_owned(), "", Expected::Allow(200)),
        ("GET", "/containers/json".to_owned(), "", Expected::Allow(200)),
        ("DELETE", container("?force=1"), "", Expected::Deny),
        ("POST", container("/exec"), r#"{"Cmd":["id"]}"#, Expected::Deny),
        ("POST", "/v1.45/containers/create".to_owned(), privileged, Expected::Deny),
        // The same request in disguise: the policy decides on what the Engine would make of it.
        ("POST", "/v1.45/containers/json/../%63reate".to_owned(), privileged, Expected::Deny),
        ("GET", "/v1.45/images/json".to_owned(), "", Expected::Deny),
    ];
    let mut verdicts: Vec<Verdict> = requests
        .iter()
        .map(|(method, target, body, expected)| {
            let name = match expected {
                Expected::Allow(_) => "allow",
                Expected::Deny => "deny",
            };
            Verdict::new(format!("{method} {target}"), name, ordinary(socket, engine, method, target, body, *expected))
        })
        .collect();
    let attach = format!("/containers/{CONTAINER}/attach?stream=1&stdin=1&stdout=1");
    verdicts.push(match engine {
        Engine::Scripted(_) => Verdict::new(format!("POST {attach}"), "tunnel", tunnel(socket, &attach)),
        // A real Engine has no such container, and says so itself.
        Engine::Real => Verdict::new(
            format!("POST {attach}"),
            "allow",
            ordinary(socket, engine, "POST", &attach, "", Expected::Allow(404)),
        ),
    });
    verdicts.push(Verdict::new("GET /events", "stream", events(socket, engine)));
    verdicts
}

fn ordinary(
    socket: &Path,
    engine: &Engine,
    method: &str,
    target: &str,
    body: &str,
    expected: Expected,
) -> Result<String> {
    let mut client = Client::send(socket, method, target, &["Connection: close"], body)?;
    let head = client.head()?;
    let body = client.rest()?;
    // Every answer of an Engine carries this line, and no answer of sockguard's own does. A refused attach is the
    // exception: the Engine has left HTTP by then and writes a bare head.
    let from_engine = head.has("Api-Version") || memchr::memmem::find(&body, b"No such container").is_some();
    let source = if from_engine { "the Engine" } else { "sockguard" };
    let message = message_of(&body).map(|message| format!(": {message}")).unwrap_or_default();
    let happened = format!("{} from {source}{message}", head.status);
    let holds = match expected {
        Expected::Allow(status) => head.status == status && from_engine,
        Expected::Deny => head.status == 403 && !from_engine && message.contains("denied"),
    };
    if !holds {
        bail!("{happened}");
    }
    if expected == Expected::Deny && engine.saw(method, target) {
        bail!("{happened}, and yet it reached the Engine");
    }
    Ok(happened)
}

/// Attaches, types, ends the input and reads the output that comes after it.
fn tunnel(socket: &Path, target: &str) -> Result<String> {
    let mut client = Client::send(socket, "POST", target, &["Connection: Upgrade", "Upgrade: tcp"], "")?;
    let head = client.head()?;
    if head.status != 101 {
        bail!("{} instead of 101: {}", head.status, String::from_utf8_lossy(&client.rest()?));
    }
    client.stream.write_all(b"hello\n").context("cannot type")?;
    client.until(|seen| seen == b"hello\n").context("no echo")?;
    client.buffer.clear();
    client.stream.shutdown(Shutdown::Write).context("cannot end the input")?;
    let after = client.rest().context("no end of output")?;
    if after != b"done\n" {
        bail!("101, echo, and after the end of input: {:?}", String::from_utf8_lossy(&after));
    }
    Ok("101, echo, output after the end of input".to_owned())
}

/// Follows the events: the head comes at once, and each event when it happens.
fn events(socket: &Path, engine: &Engine) -> Result<String> {
    let mut client = Client::send(socket, "GET", "/events", &[], "")?;
    let head = client.head()?;
    if head.status != 200 || !head.has("Api-Version") {
        bail!("{} instead of a stream: {}", head.status, String::from_utf8_lossy(&client.rest()?));
    }
    match engine {
        Engine::Scripted(_) => {
            let count = |seen: &[u8]| seen.windows(8).filter(|window| window == b"\"Action\"").count();
            client.until(|seen| count(seen) >= 2).context("no second event")?;
            Ok("200 at once, events as they happen".to_owned())
        }
        // Nothing need happen at a real Engine just now.
        Engine::Real => Ok("200 at once, the stream stands".to_owned()),
    }
}

fn write_table(out: &mut dyn Write, verdicts: &[Verdict]) -> io::Result<()> {
    let width = |column: fn(&Verdict) -> &str, title: &str| {
        verdicts.iter().map(|verdict| column(verdict).chars().count()).chain([title.len()]).max().unwrap_or_default()
    };
    let request = width(|verdict| &verdict.request, "request");
    let expected = width(|verdict| verdict.expected, "expected");
    let happened = width(|verdict| &verdict.happened, "what happened");
    writeln!(out, "{:request$}  {:expected$}  {:happened$}  verdict", "request", "expected", "what happened")?;
    writeln!(out, "{:-<request$}  {:-<expected$}  {:-<happened$}  -------", "", "", "")?;
    for verdict in verdicts {
        let word = if verdict.holds { "ok" } else { "FAILED" };
        writeln!(
            out,
            "{:request$}  {:expected$}  {:happened$}  {word}",
            verdict.request, verdict.expected, verdict.happened
        )?;
    }
    Ok(())
}

/// The `message` of a JSON error, as far as it fits a table.
fn message_of(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(value.get("message")?.as_str()?.chars().take(60).collect())
}

// ---- the Engine

enum Engine {
    Scripted(ScriptedEngine),
    Real,
}

impl Engine {
    fn find(folder: &Path) -> Result<Self> {
        if UnixStream::connect(DOCKER_SOCKET).is_ok() {
            return Ok(Self::Real);
        }
        let socket = folder.join("engine.sock");
        ScriptedEngine::start(&socket)
            .map(Self::Scripted)
            .with_context(|| format!("cannot start the scripted Engine on {}", socket.display()))
    }

    fn socket(&self) -> &Path {
        match self {
            Self::Scripted(engine) => engine.socket(),
            Self::Real => Path::new(DOCKER_SOCKET),
        }
    }

    fn description(&self) -> String {
        match self {
            Self::Scripted(_) => format!("a scripted Engine (no Docker answers on {DOCKER_SOCKET})"),
            Self::Real => format!("the Docker Engine on {DOCKER_SOCKET}"),
        }
    }

    /// Whether the Engine got this request; a real one cannot be asked.
    fn saw(&self, method: &str, target: &str) -> bool {
        match self {
            Self::Scripted(engine) => engine.requests().iter().any(|r| r.method == method && r.target == target),
            Self::Real => false,
        }
    }

    /// What reached the scripted Engine in all, once sockguard has stopped: nothing that changes anything may be in it.
    fn leaks(&self) -> Option<Verdict> {
        let Self::Scripted(engine) = self else { return None };
        let seen = engine.requests();
        let attach = format!("/containers/{CONTAINER}/attach");
        let leaked = seen.iter().find(|r| !matches!(r.method.as_str(), "GET" | "HEAD") && r.path() != attach);
        let outcome = match leaked {
            Some(request) => Err(anyhow::anyhow!("{} {} is among them", request.method, request.target)),
            None => Ok(format!("{}, and no denied one", seen.len())),
        };
        Some(Verdict::new("(requests that reached the Engine)", "reads", outcome))
    }
}

// ---- sockguard itself

struct Server {
    process: Child,
    log: PathBuf,
}

impl Server {
    fn start(configuration: &Path, socket: &Path, log: &Path) -> Result<Self> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let output = File::create(log).context("cannot create the log")?;
        let process = Command::new(&program)
            .arg("serve")
            .arg("--config")
            .arg(configuration)
            // The environment configures sockguard, too; the demo shows its own policy.
            .env_clear()
            .stdin(Stdio::null())
            .stdout(output.try_clone().context("cannot share the log")?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut server = Self { process, log: log.to_owned() };
        let deadline = Instant::now() + START_TIMEOUT;
        while UnixStream::connect(socket).is_err() {
            if let Some(status) = server.process.try_wait().context("cannot watch sockguard")? {
                bail!("sockguard ended at its start ({status}):\n{}", server.log());
            }
            if Instant::now() > deadline {
                bail!("sockguard does not listen after {} s:\n{}", START_TIMEOUT.as_secs(), server.log());
            }
            std::thread::park_timeout(LOOK_INTERVAL);
        }
        Ok(server)
    }

    /// Ends it as a service manager does.
    fn stop(&mut self) -> Verdict {
        Verdict::new("(SIGTERM)", "exit 0", self.terminate())
    }

    fn terminate(&mut self) -> Result<String> {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).context("cannot signal sockguard")?;
        let deadline = Instant::now() + STOP_TIMEOUT;
        loop {
            match self.process.try_wait().context("cannot watch sockguard")? {
                Some(status) if status.success() => return Ok("exit 0".to_owned()),
                Some(status) => bail!("{status}"),
                None if Instant::now() > deadline => bail!("still there after {} s", STOP_TIMEOUT.as_secs()),
                None => std::thread::park_timeout(LOOK_INTERVAL),
            }
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After a failure on the way: nothing may be left behind. A process that ended is not signalled.
        if let Ok(None) = self.process.try_wait() {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

/// A folder that nobody else can read or replace, removed at the end.
struct PrivateFolder(PathBuf);

impl PrivateFolder {
    fn create() -> Result<Self> {
        let parent = std::env::temp_dir();
        let mut nonce = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        loop {
            let path = parent.join(format!("sockguard-demo-{}-{nonce:x}", std::process::id()));
            // Fails when anything is there, a link of somebody else's included.
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => nonce = nonce.wrapping_add(1),
                Err(error) => return Err(error).with_context(|| format!("cannot create {}", path.display())),
            }
        }
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        // The system clears its temporary folder at the latest.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

// ---- a plain HTTP client

struct Client {
    stream: UnixStream,
    /// Bytes that were read and not taken yet.
    buffer: Vec<u8>,
}

struct Head {
    status: u16,
    lines: String,
}

impl Head {
    fn has(&self, name: &str) -> bool {
        let names = self.lines.lines().filter_map(|line| line.split_once(':'));
        names.into_iter().any(|(found, _)| found.eq_ignore_ascii_case(name))
    }
}

impl Client {
    fn send(socket: &Path, method: &str, target: &str, lines: &[&str], body: &str) -> Result<Self> {
        let mut stream = UnixStream::connect(socket).context("cannot connect to sockguard")?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT)).context("cannot set a time-out")?;
        let mut request = format!("{method} {target} HTTP/1.1\r\nHost: docker\r\n");
        for line in lines {
            request.extend([line, "\r\n"]);
        }
        if !body.is_empty() {
            request.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        }
        request.extend(["\r\n", body]);
        stream.write_all(request.as_bytes()).context("cannot send")?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    fn head(&mut self) -> Result<Head> {
        let ended = |seen: &[u8]| memchr::memmem::find(seen, b"\r\n\r\n").is_some();
        self.until(ended).context("no answer")?;
        let end = memchr::memmem::find(&self.buffer, b"\r\n\r\n").map_or(0, |at| at + 4);
        let lines = String::from_utf8_lossy(&self.buffer.drain(..end).collect::<Vec<u8>>()).into_owned();
        let status = lines.split(' ').nth(1).and_then(|word| word.parse().ok());
        Ok(Head { status: status.with_context(|| format!("no status in {lines:?}"))?, lines })
    }

    /// Reads until what was read is enough.
    fn until(&mut self, enough: impl Fn(&[u8]) -> bool) -> Result<()> {
        let mut piece = [0; 4096];
        while !enough(&self.buffer) {
            match self.stream.read(&mut piece) {
                Ok(0) => bail!("the connection ended"),
                Ok(read) => self.buffer.extend_from_slice(piece.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    bail!("nothing within {} s", ANSWER_TIMEOUT.as_secs())
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Everything up to the end of the connection, or up to a bound that no answer of the tour needs.
    fn rest(&mut self) -> Result<Vec<u8>> {
        let mut rest = std::mem::take(&mut self.buffer);
        (&self.stream).take(ANSWER_MAX_BYTES).read_to_end(&mut rest).context("the answer does not end")?;
        Ok(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scripted() -> (Engine, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (Engine::Scripted(ScriptedEngine::start(folder.path().join("engine.sock")).unwrap()), folder)
    }

    #[test]
    fn without_sockguard_every_denial_fails_and_the_rest_holds() {
        let (engine, _folder) = scripted();
        let verdicts = tour(engine.socket(), &engine);
        for verdict in &verdicts {
            assert_eq!(verdict.holds, verdict.expected != "deny", "{verdict:?}");
        }
        assert_eq!(verdicts.iter().filter(|v| v.expected == "deny").count(), 5);
        let leaks = engine.leaks().unwrap();
        assert!(!leaks.holds && leaks.happened.contains("DELETE"), "{leaks:?}");
    }

    #[test]
    fn a_403_of_the_engine_is_no_denial_and_a_denial_that_leaked_fails() {
        let (engine, folder) = scripted();
        let Engine::Scripted(double) = &engine else { unreachable!() };
        let denial = "{\"message\":\"request denied by policy\"}";
        double.on("GET", "/a", crate::scripted::Answer::json(403, denial));
        let error = ordinary(engine.socket(), &engine, "GET", "/a", "", Expected::Deny).unwrap_err();
        assert_eq!(error.to_string(), "403 from the Engine: request denied by policy");
        // An answer in sockguard's shape, from something that passed the request on all the same.
        let raw = format!("HTTP/1.1 403 Forbidden\r\nContent-Length: {}\r\n\r\n{denial}", denial.len());
        double.on("GET", "/b", crate::scripted::Answer::raw(raw).then_close());
        let error = ordinary(engine.socket(), &engine, "GET", "/b", "", Expected::Deny).unwrap_err();
        assert!(error.to_string().ends_with("and yet it reached the Engine"), "{error}");
        // Its neighbour: the Engine behind it has seen nothing.
        let other = Engine::Scripted(ScriptedEngine::start(folder.path().join("other.sock")).unwrap());
        ordinary(engine.socket(), &other, "GET", "/b", "", Expected::Deny).unwrap();
        assert!(other.leaks().unwrap().holds);
    }

    #[test]
    fn a_tunnel_that_loses_the_output_after_the_half_close_fails() {
        let (engine, _folder) = scripted();
        let Engine::Scripted(double) = &engine else { unreachable!() };
        let target = "/containers/a/attach";
        assert!(tunnel(engine.socket(), target).is_ok());
        double.on(
            "POST",
            target,
            crate::scripted::Answer::handler(|exchange| {
                exchange.raw(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nhello\n")?;
                exchange.close_after();
                Ok(())
            }),
        );
        assert!(tunnel(engine.socket(), target).is_err());
    }

    #[test]
    fn the_table_is_aligned_and_says_what_failed() {
        let verdicts = [
            Verdict::new("GET /_ping", "allow", Ok("200 from the Engine".to_owned())),
            Verdict::new("DELETE /a", "deny", Err(anyhow::anyhow!("204 from the Engine"))),
        ];
        let mut out = Vec::new();
        write_table(&mut out, &verdicts).unwrap();
        let text = String::from_utf8(out).unwrap();
        let at = |line: &str, word: &str| line.find(word).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(at(lines[2], "allow"), at(lines[3], "deny"));
        assert_eq!(at(lines[2], " ok"), at(lines[3], " FAILED"));
    }

    #[test]
    fn the_policy_is_yaml_whatever_the_paths_contain() {
        let text = policy(Path::new("/run/a \"b\": c.sock"), Path::new("/e.sock"));
        let value: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(value["listen"]["socket"], "/run/a \"b\": c.sock");
        assert_eq!(value["rules"].as_array().unwrap().len(), 6);
        assert!(RULES.contains(&format!("/containers/{CONTAINER}/attach")));
    }

    #[test]
    fn a_private_folder_goes_away() {
        use std::os::unix::fs::PermissionsExt;
        let folder = PrivateFolder::create().unwrap();
        let path = folder.0.clone();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::write(path.join("file"), "x").unwrap();
        drop(folder);
        assert!(!path.exists());
    }
}
