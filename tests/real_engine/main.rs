//! Real clients through sockguard to a real Docker Engine: the `docker` command, Compose and docker-py.
//!
//! A client must not be able to tell that sockguard is there, except where a rule denies. The tests need the Engine of
//! `dev/docker-engine start` and fail without it, so plain `cargo test` leaves them out; run them with
//! `cargo test --test real_engine`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a helper of a test panics and prints as the test does"
)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::{Guarded, Kind, allow_everything, deny_removal_and_exec};

const IMAGE: &str = "busybox:test";
const MIB: usize = 1 << 20;

/// A running container that waits for a line on its standard input.
fn waiting_container(guarded: &Guarded, name: &str) {
    guarded.docker(&["run", "--detach", "--interactive", "--name", name, IMAGE, "cat"]).ok();
}

#[test]
fn version_names_both_sides() {
    let guarded = Guarded::start(allow_everything());
    let format = ["version", "--format", "{{json .Server}}"];
    let through: Value = serde_json::from_str(&guarded.docker(&format).ok()).unwrap();
    assert_eq!(through, serde_json::from_str::<Value>(&guarded.direct(&format).ok()).unwrap());
    assert!(guarded.docker(&["info", "--format", "{{.Driver}}"]).ok().len() > 1);
}

#[test]
fn ps_lists_and_inspect_shows_what_the_engine_has() {
    let guarded = Guarded::start(allow_everything());
    let container = guarded.named(Kind::Container);
    waiting_container(&guarded, &container);
    let filter = format!("name={}", &*container);
    let list = ["ps", "--no-trunc", "--filter", &filter, "--format", "{{.ID}} {{.Names}} {{.State}}"];
    let through = guarded.docker(&list).ok();
    assert!(through.contains(&format!(" {} running", &*container)), "{through}");
    assert_eq!(through, guarded.direct(&list).ok());
    assert_eq!(guarded.docker(&["inspect", &container]).ok(), guarded.direct(&["inspect", &container]).ok());
    assert!(guarded.docker(&["top", &container]).ok().contains("cat"));
}

#[test]
fn run_passes_output_and_exit_code() {
    let guarded = Guarded::start(allow_everything());
    assert_eq!(guarded.docker(&["run", "--rm", IMAGE, "echo", "hello"]).ok(), "hello\n");
    let (code, text) = guarded.docker(&["run", "--rm", IMAGE, "sh", "-c", "echo out; echo err >&2; exit 7"]).fails();
    assert_eq!((code, text.as_str()), (7, "out\nerr\n"));
}

#[test]
fn run_with_piped_input_ends_with_the_input() {
    let guarded = Guarded::start(allow_everything());
    let input: String = (0..200_000).map(|n| format!("line {n}\n")).collect();
    let output = guarded.docker(&["run", "--rm", "--interactive", IMAGE, "cat"]).input(input.as_str()).ok();
    assert!(output == input, "{} of {} bytes came back", output.len(), input.len());
    // Output that is written only after the end of the input.
    let count = guarded.docker(&["run", "--rm", "--interactive", IMAGE, "wc", "-l"]).input(input).ok();
    assert_eq!(count.trim(), "200000");
}

#[test]
fn run_on_a_terminal() {
    let guarded = Guarded::start(allow_everything());
    let line = format!("docker run --rm -it {IMAGE} sh -c 'tty; read line; echo got $line'");
    let mut terminal = guarded.command("script", &["-qefc", &line, "/dev/null"]).start();
    terminal.line_with("/dev/pts/");
    terminal.send("typed\n");
    terminal.line_with("got typed");
    // The session ends when the command does, without another key.
    assert_eq!(terminal.end().1, 0);
}

#[test]
fn followed_logs_come_as_they_are_written() {
    let guarded = Guarded::start(allow_everything());
    let container = guarded.named(Kind::Container);
    let script = "echo first; read line; echo $line; read line";
    guarded.docker(&["run", "--detach", "--interactive", "--name", &container, IMAGE, "sh", "-c", script]).ok();
    let mut logs = guarded.docker(&["logs", "--follow", &container]).start();
    logs.line_with("first");
    let mut attached = guarded.docker(&["attach", &container]).start();
    attached.send("second\n");
    logs.line_with("second");
    attached.send("last\n");
    assert_eq!((attached.end().1, logs.end()), (0, (String::new(), 0)));
    assert_eq!(guarded.docker(&["logs", &container]).ok(), "first\nsecond\n");
}

#[test]
fn attach_carries_both_directions() {
    let guarded = Guarded::start(allow_everything());
    let container = guarded.named(Kind::Container);
    waiting_container(&guarded, &container);
    let mut attached = guarded.docker(&["attach", &container]).start();
    for text in ["one", "two"] {
        attached.send(&format!("{text}\n"));
        attached.line_with(text);
    }
    guarded.docker(&["kill", &container]).ok();
    assert_eq!(attached.end().1, 137);
}

#[test]
fn exec_with_input_and_on_a_terminal() {
    let guarded = Guarded::start(allow_everything());
    let container = guarded.named(Kind::Container);
    waiting_container(&guarded, &container);
    assert_eq!(guarded.docker(&["exec", &container, "echo", "plain"]).ok(), "plain\n");
    assert_eq!(guarded.docker(&["exec", "-i", &container, "tr", "a-z", "A-Z"]).input("shout").ok(), "SHOUT");
    assert_eq!(guarded.docker(&["exec", &container, "sh", "-c", "exit 3"]).fails().0, 3);
    let line = format!("docker exec -it {} sh -c 'tty; read line; echo got $line'", &*container);
    let mut terminal = guarded.command("script", &["-qefc", &line, "/dev/null"]).start();
    terminal.line_with("/dev/pts/");
    terminal.send("typed\n");
    terminal.line_with("got typed");
    assert_eq!(terminal.end().1, 0);
    guarded.docker(&["exec", "--detach", &container, "touch", "/tmp/detached"]).ok();
}

#[test]
fn cp_copies_both_ways() {
    let guarded = Guarded::start(allow_everything());
    let container = guarded.named(Kind::Container);
    waiting_container(&guarded, &container);
    let (sent, back) = (guarded.folder().join("sent"), guarded.folder().join("back"));
    let bytes = noise(3 * MIB);
    std::fs::write(&sent, &bytes).unwrap();
    let inside = format!("{}:/tmp/file", &*container);
    guarded.docker(&["cp", sent.to_str().unwrap(), &inside]).ok();
    guarded.docker(&["cp", &inside, back.to_str().unwrap()]).ok();
    assert!(std::fs::read(&back).unwrap() == bytes);
    let (_, text) = guarded.docker(&["cp", &format!("{}:/nowhere", &*container), "x"]).fails();
    assert!(text.contains("/nowhere"), "{text}");
}

#[test]
fn events_arrive_while_they_happen() {
    let guarded = Guarded::start(allow_everything());
    let container = guarded.named(Kind::Container);
    // From the beginning of time: whatever happens before the stream stands is in it, too.
    let filter = format!("container={}", &*container);
    let mut events =
        guarded.docker(&["events", "--since", "1", "--filter", &filter, "--format", "{{.Action}}"]).start();
    waiting_container(&guarded, &container);
    events.line_with("start");
    guarded.docker(&["rm", "--force", &container]).ok();
    events.line_with("die");
    events.line_with("destroy");
}

#[test]
fn stats_once_and_streamed() {
    let guarded = Guarded::start(allow_everything());
    let container = guarded.named(Kind::Container);
    waiting_container(&guarded, &container);
    let format = ["--format", "{{.Name}}"];
    let once = guarded.docker(&[["stats", "--no-stream"].as_slice(), &format, &[&container]].concat()).ok();
    assert_eq!(once.trim(), &*container);
    let mut stream = guarded.docker(&[["stats"].as_slice(), &format, &[&container]].concat()).start();
    for _ in 0..2 {
        stream.line_with(&container);
    }
}

#[test]
fn wait_lasts_as_long_as_the_container() {
    let guarded = Guarded::start(allow_everything());
    let container = guarded.named(Kind::Container);
    guarded.docker(&["run", "-di", "--name", &container, IMAGE, "sh", "-c", "read line; exit 9"]).ok();
    let waiting = guarded.docker(&["wait", &container]).start();
    let mut attached = guarded.docker(&["attach", &container]).start();
    attached.send("go\n");
    assert_eq!(attached.end().1, 9);
    assert_eq!(waiting.end(), ("9\n".to_owned(), 0));
}

#[test]
fn life_of_a_container() {
    let guarded = Guarded::start(allow_everything());
    let container = guarded.named(Kind::Container);
    guarded.docker(&["create", "--name", &container, IMAGE, "sleep", "600"]).ok();
    let state = || guarded.docker(&["inspect", "--format", "{{.State.Status}}", &container]).ok();
    for (command, after) in [
        (["start"].as_slice(), "running\n"),
        (&["pause"], "paused\n"),
        (&["unpause"], "running\n"),
        (&["restart", "--time", "0"], "running\n"),
        (&["stop", "--time", "0"], "exited\n"),
    ] {
        guarded.docker(&[command, &[&container]].concat()).ok();
        assert_eq!(state(), after, "after {command:?}");
    }
    guarded.docker(&["rm", &container]).ok();
    let (code, text) = guarded.docker(&["inspect", &container]).fails();
    assert!(code == 1 && text.contains("No such"), "{text}");
}

#[test]
fn classic_build() {
    let guarded = Guarded::start(allow_everything());
    let image = guarded.named(Kind::Image);
    let context = guarded.folder().join("context");
    std::fs::create_dir(&context).unwrap();
    std::fs::write(context.join("payload"), noise(2 * MIB)).unwrap();
    std::fs::write(
        context.join("Dockerfile"),
        format!("FROM {IMAGE}\nCOPY payload /payload\nRUN echo built > /note\n"),
    )
    .unwrap();
    let output = guarded.docker(&["build", "--tag", &image, context.to_str().unwrap()]).ok();
    assert!(output.contains("Successfully built"), "{output}");
    let seen = guarded.docker(&["run", "--rm", &image, "sh", "-c", "cat /note; wc -c < /payload"]).ok();
    assert_eq!(seen, format!("built\n{}\n", 2 * MIB));
}

#[test]
fn save_and_load_an_image_of_64_mib() {
    let guarded = Guarded::start(allow_everything());
    let image = guarded.named(Kind::Image);
    let root = guarded.folder().join("root");
    std::fs::create_dir(&root).unwrap();
    std::fs::write(root.join("payload"), noise(64 * MIB)).unwrap();
    let layer = guarded.folder().join("layer.tar");
    tar(&["-C", root.to_str().unwrap(), "-cf", layer.to_str().unwrap(), "."]);
    guarded.docker(&["import", layer.to_str().unwrap(), &image]).ok();
    let identifier = guarded.direct(&["inspect", "--format", "{{.Id}} {{.RootFS.Layers}}", &image]).ok();
    let archive = guarded.folder().join("image.tar");
    guarded.docker(&["save", "--output", archive.to_str().unwrap(), &image]).ok();
    assert!(std::fs::metadata(&archive).unwrap().len() > 64 * MIB as u64);
    guarded.docker(&["rmi", &image]).ok();
    guarded.docker(&["load", "--input", archive.to_str().unwrap()]).ok();
    // The identifier is the digest of all content.
    assert_eq!(guarded.direct(&["inspect", "--format", "{{.Id}} {{.RootFS.Layers}}", &image]).ok(), identifier);
}

#[test]
fn networks_and_volumes() {
    let guarded = Guarded::start(allow_everything());
    let (network, volume) = (guarded.named(Kind::Network), guarded.named(Kind::Volume));
    guarded.docker(&["network", "create", &network]).ok();
    assert_eq!(guarded.docker(&["network", "inspect", "--format", "{{.Driver}}", &network]).ok(), "bridge\n");
    guarded.docker(&["volume", "create", "--label", "a=b", &volume]).ok();
    let mount = format!("{}:/data", &*volume);
    let run = |script| guarded.docker(&["run", "--rm", "-v", &mount, "--network", &network, IMAGE, "sh", "-c", script]);
    run("echo kept > /data/file").ok();
    assert_eq!(run("cat /data/file; ls /sys/class/net").ok(), "kept\neth0\nlo\n");
    assert_eq!(guarded.docker(&["volume", "rm", &volume]).ok().trim(), &*volume);
    assert_eq!(guarded.docker(&["network", "rm", &network]).ok().trim(), &*network);
}

#[test]
fn compose_up_and_down() {
    compose_through(&Guarded::start(allow_everything()));
}

#[test]
fn compose_up_and_down_with_redacted_answers() {
    compose_through(&Guarded::redacting());
}

fn compose_through(guarded: &Guarded) {
    let project = guarded.named(Kind::Container);
    std::fs::write(
        guarded.folder().join("compose.yaml"),
        format!("services:\n  one:\n    image: {IMAGE}\n    command: sh -c 'echo from compose; sleep 600'\n    stop_grace_period: 0s\n"),
    )
    .unwrap();
    let plugin = Command::new("docker").args(["compose", "version"]).output().is_ok_and(|o| o.status.success());
    let compose = |arguments: &[&str]| {
        let common = ["-f", "compose.yaml", "-p", &project];
        match plugin {
            true => guarded.docker(&[["compose"].as_slice(), &common, arguments].concat()),
            false => guarded.command("docker-compose", &[common.as_slice(), arguments].concat()),
        }
    };
    compose(&["up", "--detach"]).ok();
    let mut logs = compose(&["logs", "--follow", "--no-color"]).start();
    logs.line_with("from compose");
    assert!(compose(&["ps"]).ok().contains("one"));
    compose(&["down"]).ok();
    logs.end();
    let filter = format!("label=com.docker.compose.project={}", &*project);
    assert_eq!(guarded.direct(&["ps", "--all", "--quiet", "--filter", &filter]).ok(), "");
}

#[test]
fn docker_py() {
    let guarded = Guarded::start(allow_everything());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real_engine/docker_py.py");
    let output = guarded.command(python_with_docker(), &[script.to_str().unwrap(), IMAGE]).ok();
    assert!(output.ends_with("all calls hold\n"), "{output}");
}

#[test]
fn a_denied_removal_never_reaches_the_engine() {
    let guarded = Guarded::start(deny_removal_and_exec());
    let container = guarded.named(Kind::Container);
    waiting_container(&guarded, &container);
    let (_, text) = guarded.docker(&["rm", "--force", &container]).fails();
    assert!(text.contains("Error response from daemon: request denied by sockguard policy"), "{text}");
    assert_eq!(guarded.direct(&["inspect", "--format", "{{.State.Status}}", &container]).ok(), "running\n");
    // Its neighbour: another call on the same container.
    guarded.docker(&["kill", &container]).ok();
    assert_eq!(actions(&guarded, &container), ["create", "start", "kill", "die"]);
}

#[test]
fn a_denied_exec_never_reaches_the_engine() {
    let guarded = Guarded::start(deny_removal_and_exec());
    let container = guarded.named(Kind::Container);
    waiting_container(&guarded, &container);
    let (_, text) = guarded.docker(&["exec", &container, "true"]).fails();
    assert!(text.contains("request denied by sockguard policy"), "{text}");
    assert_eq!(actions(&guarded, &container), ["create", "start"]);
    // Its neighbour: another way to talk to the same container.
    let mut attached = guarded.docker(&["attach", &container]).start();
    attached.send("hello\n");
    attached.line_with("hello");
}

/// What happened to a container, as the Engine tells it; attaching is left out, because clients do it at will.
fn actions(guarded: &Guarded, container: &str) -> Vec<String> {
    let filter = format!("container={container}");
    let until = guarded.direct(&["info", "--format", "{{.SystemTime}}"]).ok();
    let list = ["events", "--since", "1", "--until", until.trim(), "--filter", &filter, "--format", "{{.Action}}"];
    guarded.direct(&list).ok().lines().filter(|action| *action != "attach").map(str::to_owned).collect()
}

/// The Python of a virtual environment below the target folder that has docker-py; made when it is not there.
fn python_with_docker() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docker-py");
    let python = folder.join("bin/python");
    let has_docker = || Command::new(&python).args(["-c", "import docker"]).output().is_ok_and(|o| o.status.success());
    if !has_docker() {
        for (program, arguments) in [
            (Path::new("python3"), ["-m", "venv", folder.to_str().unwrap()].as_slice()),
            (&python, &["-m", "pip", "install", "--quiet", "docker==7.1.0"]),
        ] {
            let output = Command::new(program).args(arguments).output().expect("python3 is installed");
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "`{} {}`: {text}", program.display(), arguments.join(" "));
        }
        assert!(has_docker(), "docker-py was installed and cannot be imported");
    }
    python
}

fn tar(arguments: &[&str]) {
    assert!(Command::new("tar").args(arguments).status().expect("tar is installed").success());
}

/// Bytes that do not compress and are the same every time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut out = Vec::with_capacity(length + 8);
    while out.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(length);
    out
}

#[test]
fn what_would_give_the_host_away_is_refused_and_its_neighbour_runs() {
    let guarded = Guarded::strict();
    let volume = guarded.named(Kind::Volume);
    let mount = format!("{}:/data", &*volume);
    let table: &[(&[&str], &str)] = &[
        (&["--privileged"], "privileged"),
        (&["-v", "/:/host"], "bind mount source \\\"/\\\""),
        (&["--mount", "type=bind,source=/etc,target=/x"], "bind mount source \\\"/etc\\\""),
        (&["--pid", "host"], "host PID"),
        (&["--ipc", "host"], "host IPC"),
        (&["--network", "host"], "host network"),
        (&["--cap-add", "SYS_ADMIN"], "capability \\\"SYS_ADMIN\\\""),
        (&["--device", "/dev/null:/dev/x"], "device"),
        (&["--sysctl", "net.ipv4.ip_forward=1"], "setting sysctls"),
    ];
    for (arguments, word) in table {
        let command = [&["run", "--rm"], *arguments, &[IMAGE, "true"]].concat();
        let (code, text) = guarded.docker(&command).fails();
        assert_eq!(code, 125, "{command:?}: {text}");
        // The client shows the message, which is the same for all; the reason is for the operator.
        assert!(text.contains("request denied by sockguard policy"), "{command:?}: {text}");
        guarded.logs(&format!("container create denied: {word}"));
    }
    let harmless = ["-v", &mount, "--cap-drop", "NET_RAW", "--read-only", "-e", "A=b", "--memory", "64m"];
    let command = [&["run", "--rm"], harmless.as_slice(), &[IMAGE, "echo", "fine"]].concat();
    assert_eq!(guarded.docker(&command).ok(), "fine\n");
}

#[test]
fn a_build_that_runs_commands_is_refused_and_one_that_copies_is_not() {
    let guarded = Guarded::strict();
    let image = guarded.named(Kind::Image);
    std::fs::write(guarded.folder().join("file"), "content").unwrap();
    let build = |dockerfile: &str| {
        std::fs::write(guarded.folder().join("Dockerfile"), dockerfile).unwrap();
        guarded.docker(&["build", "--tag", &image, "."])
    };
    let (_, text) = build(&format!("FROM {IMAGE}\nRUN id\n")).fails();
    assert!(text.contains("request denied by sockguard policy"), "{text}");
    guarded.logs("build denied: RUN");
    build(&format!("FROM {IMAGE}\nCOPY file /file\nCMD [\"cat\", \"/file\"]\n")).ok();
    assert_eq!(guarded.docker(&["run", "--rm", &image]).ok(), "content");
}

#[test]
fn answers_show_no_planted_value() {
    let guarded = Guarded::strict();
    let container = guarded.named(Kind::Container);
    let volume = guarded.named(Kind::Volume);
    let network = guarded.named(Kind::Network);
    // Another subnet in each run: one that an earlier run left behind must not be in the way.
    let prefix = format!("10.{}.{}.", 64 + std::process::id() % 64, std::process::id() / 64 % 256);
    guarded.direct(&["network", "create", "--subnet", &format!("{prefix}0/24"), &network]).ok();
    let mount = format!("{}:/data", &*volume);
    let run = ["run", "--detach", "--interactive", "--name", &container, "-e", "TOKEN=planted-value", "-v", &mount];
    guarded.docker(&[run.as_slice(), &[IMAGE, "cat"]].concat()).ok();
    guarded.direct(&["network", "connect", &network, &container]).ok();
    let direct = guarded.direct(&["inspect", &container]).ok();
    let mountpoint = guarded.direct(&["volume", "inspect", "-f", "{{.Mountpoint}}", &volume]).ok();
    let secrets = ["planted-value", mountpoint.trim(), &prefix];
    assert!(secrets.iter().all(|secret| direct.contains(secret)), "the Engine does not have what was planted");
    let shown = [
        guarded.docker(&["inspect", &container]).ok(),
        guarded.docker(&["volume", "inspect", &volume]).ok(),
        guarded.docker(&["ps", "--no-trunc", "--format", "{{json .}}"]).ok(),
        guarded.docker(&["system", "df", "-v"]).ok(),
        guarded.docker(&["network", "inspect", "none"]).ok(),
        guarded.docker(&["network", "inspect", &network]).ok(),
        guarded.docker(&["volume", "ls", "--format", "{{json .}}"]).ok(),
        guarded.docker(&["info"]).ok(),
    ];
    for text in &shown {
        assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");
    }
    // Everything else is still there.
    assert!(shown[0].contains(&*container) && shown[0].contains("<redacted>"), "{}", shown[0]);
    assert!(shown[1].contains(&*volume), "{}", shown[1]);
    assert_eq!(guarded.docker(&["inspect", "-f", "{{.State.Running}}", &container]).ok(), "true\n");
}
