//! What the scripted Engine answers unless a test says otherwise: the calls that the usual clients make, in the shape
//! of a real Engine's answers. Anything else is the Engine's 404.
//!
//! | request | answer |
//! |---|---|
//! | `GET`, `HEAD` `/_ping`; `GET /version`, `/info`, `/containers/json`, `/images/json` | canned |
//! | `GET /containers/{id}/json` | one container, with a secret in its environment; 404 when the id starts with `missing` |
//! | `POST /containers/create`, `/containers/{id}/exec` | 201 with an id |
//! | `POST /containers/{id}/start`, `stop`, `kill`; `DELETE /containers/{id}` | 204 |
//! | `POST /containers/{id}/wait` | the head at once, then status code 0 |
//! | `GET /events` | an event every 50 ms until the client leaves |
//! | `GET /containers/{id}/logs` | one line; with `follow` a line every 50 ms until the client leaves |
//! | `POST /containers/{id}/attach`, `/exec/{id}/start` | 101 (or a bare 200 without `Upgrade`): echo; `done` after the client's end of input |
//! | `GET /images/{id}/get` | an archive of the set size, chunked |
//! | `POST /build`, `/images/load`; `PUT /containers/{id}/archive` | 200 once the body has been read whole |

use std::io;
use std::time::Duration;

use super::exchange::Exchange;

/// Identifier of the one container.
pub(super) const CONTAINER_ID: &str = "4f3c1f0a7d5b4c6e8a9b0c1d2e3f405162738495a6b7c8d9e0f1a2b3c4d5e6f7";
/// Value in the container's environment that a redacting proxy must not let through.
pub(super) const SECRET: &str = "hunter2-not-for-clients";
/// Between two events or log lines of a followed stream.
const STREAM_INTERVAL: Duration = Duration::from_millis(50);
const ECHO_BYTES: usize = 64 << 10;
const IMAGE_CHUNK_BYTES: usize = 64 << 10;

pub(super) fn answer(exchange: &mut Exchange<'_>) -> io::Result<()> {
    let (method, path) = (exchange.request().method.clone(), exchange.request().path().to_owned());
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    match (method.as_str(), segments.as_slice()) {
        // The body of these says how to go on, or is the stream itself.
        ("POST", ["containers", _, "attach"]) => return tunnel(exchange),
        ("POST", ["exec", _, "start"]) => return exec_start(exchange),
        _ => exchange.read_body()?,
    };
    match (method.as_str(), segments.as_slice()) {
        ("GET" | "HEAD", ["_ping"]) => {
            let headers = [
                ("Builder-Version", "2"),
                ("Cache-Control", "no-cache, no-store, must-revalidate"),
                ("Content-Type", "text/plain; charset=utf-8"),
                ("Pragma", "no-cache"),
                ("Swarm", "inactive"),
            ];
            let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let body: &[u8] = if method == "HEAD" { b"" } else { b"OK" };
            exchange.respond(200, &headers, body)
        }
        ("GET", ["version"]) => exchange.respond_json(200, &version()),
        ("GET", ["info"]) => exchange.respond_json(200, &info()),
        ("GET", ["containers", "json"]) => exchange.respond_json(200, &containers()),
        ("GET", ["images", "json"]) => exchange.respond_json(200, "[]\n"),
        ("GET", ["containers", id, "json"]) if !id.starts_with("missing") => exchange.respond_json(200, &container()),
        ("GET", ["containers", id, "json"]) => no_such_container(exchange, id),
        ("POST", ["containers", "create"]) => {
            exchange.respond_json(201, &format!("{{\"Id\":\"{CONTAINER_ID}\",\"Warnings\":[]}}\n"))
        }
        ("POST", ["containers", _, "exec"]) => {
            exchange.respond_json(201, &format!("{{\"Id\":\"{}\"}}\n", "e".repeat(64)))
        }
        ("POST", ["containers", id, "start" | "stop" | "kill"]) | ("DELETE", ["containers", id]) => {
            if id.starts_with("missing") { no_such_container(exchange, id) } else { exchange.respond(204, &[], b"") }
        }
        ("POST", ["containers", _, "wait"]) => {
            exchange.start_chunked(200, "application/json")?;
            exchange.chunk(b"{\"StatusCode\":0}\n")?;
            exchange.finish()
        }
        ("GET", ["events"]) => events(exchange),
        ("GET", ["containers", _, "logs"]) => logs(exchange),
        ("GET", ["images", .., "get"]) => image(exchange),
        ("POST", ["build"]) => exchange.respond_json(200, "{\"stream\":\"Successfully built 0123456789ab\\n\"}\r\n"),
        ("POST", ["images", "load"]) => exchange.respond_json(200, "{\"stream\":\"Loaded image: scripted:1\\n\"}\r\n"),
        ("PUT", ["containers", _, "archive"]) => exchange.respond(200, &[], b""),
        _ => exchange.respond_json(404, "{\"message\":\"page not found\"}\n"),
    }
}

fn no_such_container(exchange: &mut Exchange<'_>, id: &str) -> io::Result<()> {
    exchange.respond_json(404, &format!("{{\"message\":\"No such container: {id}\"}}\n"))
}

fn events(exchange: &mut Exchange<'_>) -> io::Result<()> {
    exchange.start_chunked(200, "application/json")?;
    let event = format!(
        "{{\"status\":\"start\",\"id\":\"{CONTAINER_ID}\",\"from\":\"busybox:1\",\"Type\":\"container\",\
         \"Action\":\"start\",\"Actor\":{{\"ID\":\"{CONTAINER_ID}\",\"Attributes\":{{\"name\":\"runner\"}}}},\
         \"scope\":\"local\",\"time\":1767225600,\"timeNano\":1767225600000000000}}\n"
    );
    until_client_leaves(exchange, event.as_bytes())
}

fn logs(exchange: &mut Exchange<'_>) -> io::Result<()> {
    const LINE: &[u8] = b"a line of output\n";
    // Frame header of the multiplexed stream: standard output, three zeros, length.
    let mut frame = vec![1, 0, 0, 0, 0, 0, 0, LINE.len() as u8];
    frame.extend_from_slice(LINE);
    let follow = exchange
        .request()
        .query("follow")
        .is_some_and(|value| !["", "0", "no", "false", "none"].contains(&value.trim().to_ascii_lowercase().as_str()));
    exchange.start_chunked(200, "application/vnd.docker.multiplexed-stream")?;
    if follow {
        return until_client_leaves(exchange, &frame);
    }
    exchange.chunk(&frame)?;
    exchange.finish()
}

fn until_client_leaves(exchange: &mut Exchange<'_>, piece: &[u8]) -> io::Result<()> {
    loop {
        exchange.chunk(piece)?;
        if exchange.client_left_within(STREAM_INTERVAL)? {
            return Ok(());
        }
    }
}

fn exec_start(exchange: &mut Exchange<'_>) -> io::Result<()> {
    let options: serde_json::Value = serde_json::from_slice(exchange.read_body()?).unwrap_or_default();
    match options.get("Detach").and_then(serde_json::Value::as_bool) {
        Some(true) => exchange.respond(200, &[], b""),
        Some(false) | None => tunnel(exchange),
    }
}

/// Echoes until the client ends its input, then says so: output after the half-close is what a proxy loses first.
fn tunnel(exchange: &mut Exchange<'_>) -> io::Result<()> {
    exchange.read_body()?;
    // The tunnel's head carries no Engine lines, as the real one does not.
    exchange.raw(match exchange.request().header("upgrade") {
        Some(_) => {
            b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n\
              Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
        }
        None => b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n".as_slice(),
    })?;
    let mut buffer = vec![0; ECHO_BYTES];
    loop {
        let read = exchange.read_raw(&mut buffer)?;
        if read == 0 {
            exchange.raw(b"done\n")?;
            return exchange.half_close();
        }
        exchange.raw(buffer.get(..read).unwrap_or_default())?;
    }
}

fn image(exchange: &mut Exchange<'_>) -> io::Result<()> {
    let mut left = exchange.image_bytes();
    let block: Vec<u8> = (0..IMAGE_CHUNK_BYTES).map(|at| (at % 251) as u8).collect();
    exchange.start_chunked(200, "application/x-tar")?;
    while left > 0 {
        let size = left.min(IMAGE_CHUNK_BYTES as u64);
        exchange.chunk(block.get(..size as usize).unwrap_or_default())?;
        left -= size;
    }
    exchange.finish()
}

fn version() -> String {
    "{\"Platform\":{\"Name\":\"\"},\"Components\":[{\"Name\":\"Engine\",\"Version\":\"26.1.5\",\"Details\":\
     {\"ApiVersion\":\"1.45\",\"Arch\":\"amd64\",\"Experimental\":\"false\",\"MinAPIVersion\":\"1.24\",\"Os\":\"linux\"}}],\
     \"Version\":\"26.1.5\",\"ApiVersion\":\"1.45\",\"MinAPIVersion\":\"1.24\",\"Os\":\"linux\",\"Arch\":\"amd64\",\
     \"KernelVersion\":\"6.1.0\"}\n"
        .to_owned()
}

fn info() -> String {
    "{\"ID\":\"scripted\",\"Containers\":1,\"ContainersRunning\":1,\"ContainersPaused\":0,\"ContainersStopped\":0,\
     \"Images\":0,\"Driver\":\"overlay2\",\"Name\":\"scripted\",\"ServerVersion\":\"26.1.5\",\"OSType\":\"linux\",\
     \"Architecture\":\"x86_64\",\"NCPU\":2,\"MemTotal\":4294967296,\"Swarm\":{\"LocalNodeState\":\"inactive\"}}\n"
        .to_owned()
}

fn containers() -> String {
    format!(
        "[{{\"Id\":\"{CONTAINER_ID}\",\"Names\":[\"/runner\"],\"Image\":\"busybox:1\",\"ImageID\":\"sha256:{CONTAINER_ID}\",\
         \"Command\":\"sleep 600\",\"Created\":1767225600,\"Ports\":[],\"Labels\":{{\"com.example.team\":\"build\"}},\
         \"State\":\"running\",\"Status\":\"Up 3 minutes\",\"HostConfig\":{{\"NetworkMode\":\"bridge\"}},\
         \"NetworkSettings\":{{\"Networks\":{{\"bridge\":{{\"Gateway\":\"172.17.0.1\",\"IPAddress\":\"172.17.0.9\"}}}}}},\
         \"Mounts\":[]}}]\n"
    )
}

fn container() -> String {
    format!(
        "{{\"Id\":\"{CONTAINER_ID}\",\"Created\":\"2026-01-01T00:00:00.000000001Z\",\"Path\":\"sleep\",\"Args\":[\"600\"],\
         \"State\":{{\"Status\":\"running\",\"Running\":true,\"Pid\":4242,\"ExitCode\":0}},\"Image\":\"sha256:{CONTAINER_ID}\",\
         \"Name\":\"/runner\",\"HostConfig\":{{\"Binds\":[\"/srv/jobs/7:/work:rw\"],\"NetworkMode\":\"bridge\",\
         \"Privileged\":false}},\"Mounts\":[{{\"Type\":\"bind\",\"Source\":\"/srv/jobs/7\",\"Destination\":\"/work\",\
         \"RW\":true}}],\"Config\":{{\"Hostname\":\"4f3c1f0a7d5b\",\"Tty\":false,\"OpenStdin\":true,\
         \"Env\":[\"PATH=/bin\",\"TOKEN={SECRET}\"],\"Cmd\":[\"sleep\",\"600\"],\"Image\":\"busybox:1\",\
         \"Labels\":{{\"com.example.team\":\"build\"}}}},\"NetworkSettings\":{{\"Networks\":{{\"bridge\":\
         {{\"Gateway\":\"172.17.0.1\",\"IPAddress\":\"172.17.0.9\"}}}}}}}}\n"
    )
}
