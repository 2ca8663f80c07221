"""The main calls of docker-py against DOCKER_HOST: docker_py.py IMAGE. Prints `all calls hold` when they do.

docker-py differs from the docker command where proxies break: it upgrades with its own headers, reads raw streams from
the socket under the HTTP response, and half-closes that socket itself.
"""
import io
import socket
import sys
import tarfile
import uuid

import docker

IMAGE = sys.argv[1]
NAME = f"sockguard-py-{uuid.uuid4().hex[:12]}"
NOISE = bytes(range(256)) * 4096


def archive(name, data):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def frames(raw):
    """The payloads of a multiplexed stream, joined."""
    out, at = b"", 0
    while at < len(raw):
        size = int.from_bytes(raw[at + 4:at + 8], "big")
        out += raw[at + 8:at + 8 + size]
        at += 8 + size
    return out


def system(client):
    assert client.ping()
    assert client.version()["ApiVersion"]
    assert client.info()["ServerVersion"]
    assert any(IMAGE in image.tags for image in client.images.list())


def run(client):
    assert client.containers.run(IMAGE, ["echo", "hello"], remove=True) == b"hello\n"
    try:
        client.containers.run(IMAGE, ["sh", "-c", "echo oops >&2; exit 4"], remove=True)
    except docker.errors.ContainerError as error:
        assert error.exit_status == 4 and error.stderr == b"oops\n", error
    else:
        raise AssertionError("a failing command passed")
    try:
        client.containers.get(NAME + "-missing")
    except docker.errors.NotFound as error:
        assert "No such container" in error.explanation, error.explanation
    else:
        raise AssertionError("a container that is not there was found")


def streams(client, container):
    # Attached input that is half-closed: the output after it must still come.
    end = container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
    raw = end._sock
    container.start()
    raw.sendall(b"typed\n")
    raw.shutdown(socket.SHUT_WR)
    got = b""
    while data := raw.recv(65536):
        got += data
    assert frames(got) == b"typed\nend\n", got
    assert container.wait()["StatusCode"] == 0
    assert container.logs() == b"typed\nend\n"
    assert b"".join(container.logs(stream=True, follow=True)) == b"typed\nend\n"


def execs(client, container):
    code, output = container.exec_run(["sh", "-c", "echo out; exit 5"])
    assert (code, output) == (5, b"out\n"), (code, output)
    assert b"".join(container.exec_run(["seq", "3"], stream=True).output) == b"1\n2\n3\n"
    identifier = client.api.exec_create(container.id, ["wc", "-c"], stdin=True)["Id"]
    raw = client.api.exec_start(identifier, socket=True)._sock
    raw.sendall(NOISE)
    raw.shutdown(socket.SHUT_WR)
    got = b""
    while data := raw.recv(65536):
        got += data
    assert frames(got).strip() == str(len(NOISE)).encode(), got


def archives(client, container):
    assert container.put_archive("/tmp", archive("file", NOISE))
    pieces, stat = container.get_archive("/tmp/file")
    assert stat["size"] == len(NOISE), stat
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
        assert tar.extractfile("file").read() == NOISE


def observers(client, container):
    assert container.stats(stream=False)["name"].endswith(container.name)
    stream = client.api.stats(container.id, decode=True)
    assert next(stream)["read"] and next(stream)["read"]
    stream.close()
    events = client.events(since=1, filters={"container": container.name}, decode=True)
    assert next(events)["Action"] == "create"
    container.kill()
    while next(events)["Action"] != "die":
        pass
    events.close()


def images(client):
    tag = NAME + ":built"
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for name, data in (("Dockerfile", f"FROM {IMAGE}\nCOPY payload /payload\n".encode()), ("payload", NOISE)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    context.seek(0)
    image, _ = client.images.build(fileobj=context, custom_context=True, tag=tag, rm=True)
    try:
        saved = b"".join(image.save(named=True))
        client.images.remove(tag)
        loaded = client.images.load(saved)
        assert [i.id for i in loaded] == [image.id] and tag in loaded[0].tags
    finally:
        client.images.remove(tag, force=True)


def networks_and_volumes(client):
    network = client.networks.create(NAME, driver="bridge")
    try:
        assert client.networks.get(NAME).id == network.id
    finally:
        network.remove()
    volume = client.volumes.create(NAME)
    try:
        assert client.volumes.get(NAME).attrs["Driver"] == "local"
    finally:
        volume.remove()


def main():
    client = docker.from_env(timeout=60)
    system(client)
    run(client)
    # Attached, as `docker run -i` is: the end of the attached input is the end of the container's.
    one = client.containers.create(IMAGE, ["sh", "-c", "cat; echo end"], name=NAME + "-one", stdin_open=True)
    two = client.containers.run(IMAGE, ["sleep", "600"], name=NAME + "-two", detach=True)
    try:
        streams(client, one)
        execs(client, two)
        archives(client, two)
        observers(client, two)
    finally:
        one.remove(force=True)
        two.remove(force=True)
    images(client)
    networks_and_volumes(client)
    print("all calls hold")


main()
