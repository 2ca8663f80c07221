//! Answers as a Docker Engine gives them, in any number and without a machine to ask.

/// One element of `GET /containers/json`: two mounts, one network, about 1.2 KiB.
pub(crate) fn container(n: usize) -> String {
    let id = format!("{n:064x}");
    let port = 20000 + n % 20000;
    format!(
        concat!(
            r#"{{"Id":"{id}","Names":["/runner-{n}"],"Image":"ghcr.io/acme/runner:{n}","ImageID":"sha256:{id}","#,
            r#""Command":"/bin/run --job {n}","Created":1732500000,"Ports":[{{"IP":"0.0.0.0","PrivatePort":8080,"#,
            r#""PublicPort":{port},"Type":"tcp"}}],"Labels":{{"com.acme.job":"{n}","com.acme.team":"build","#,
            r#""org.opencontainers.image.source":"https://example.com/acme/runner"}},"State":"running","#,
            r#""Status":"Up 3 minutes","HostConfig":{{"NetworkMode":"bridge"}},"NetworkSettings":{{"Networks":"#,
            r#"{{"bridge":{{"IPAMConfig":null,"Links":null,"Aliases":null,"NetworkID":"{id}","EndpointID":"{id}","#,
            r#""Gateway":"172.17.0.1","IPAddress":"172.17.0.9","IPPrefixLen":16,"#,
            r#""MacAddress":"02:42:ac:11:00:09"}}}}}},"Mounts":[{{"Type":"bind","Source":"/srv/jobs/{n}/work","#,
            r#""Destination":"/work","Mode":"","RW":true,"Propagation":"rprivate"}},{{"Type":"volume","#,
            r#""Name":"cache-{n}","Source":"/var/lib/docker/volumes/cache-{n}/_data","Destination":"/cache","#,
            r#""Driver":"local","Mode":"z","RW":true,"Propagation":""}}]}}"#,
        ),
        id = id,
        n = n,
        port = port,
    )
}

/// `GET /containers/json` of at least `bytes`.
pub(crate) fn container_list(bytes: usize) -> Vec<u8> {
    let mut list = String::from("[");
    for n in 0.. {
        list.push_str(&container(n));
        if list.len() + 1 >= bytes {
            break;
        }
        list.push(',');
    }
    list.push(']');
    list.into_bytes()
}

/// `GET /containers/{id}/json`: forty environment variables, about 5 KiB.
pub(crate) fn container_inspect() -> Vec<u8> {
    let id = format!("{:064x}", 7);
    let environment: Vec<String> = (0..40).map(|n| format!(r#""KEY_{n}=value of the variable {n}""#)).collect();
    format!(
        concat!(
            r#"{{"Id":"{id}","Created":"2026-11-25T03:15:19.000000001Z","Path":"/bin/run","Args":["--job","7"],"#,
            r#""State":{{"Status":"running","Running":true,"Paused":false,"Restarting":false,"OOMKilled":false,"#,
            r#""Dead":false,"Pid":4242,"ExitCode":0,"Error":"","StartedAt":"2026-11-25T03:15:20.000000001Z","#,
            r#""FinishedAt":"0001-01-01T00:00:00Z"}},"Image":"sha256:{id}","#,
            r#""ResolvConfPath":"/var/lib/docker/containers/{id}/resolv.conf","#,
            r#""HostnamePath":"/var/lib/docker/containers/{id}/hostname","#,
            r#""HostsPath":"/var/lib/docker/containers/{id}/hosts","#,
            r#""LogPath":"/var/lib/docker/containers/{id}/{id}-json.log","Name":"/runner-7","RestartCount":0,"#,
            r#""Driver":"overlay2","Platform":"linux","MountLabel":"","ProcessLabel":"","#,
            r#""AppArmorProfile":"docker-default","ExecIDs":null,"HostConfig":{{"Binds":["/srv/jobs/7/work:/work:rw"],"#,
            r#""ContainerIDFile":"","LogConfig":{{"Type":"json-file","Config":{{}}}},"NetworkMode":"bridge","#,
            r#""PortBindings":{{}},"RestartPolicy":{{"Name":"no","MaximumRetryCount":0}},"AutoRemove":true,"#,
            r#""VolumeDriver":"","VolumesFrom":null,"CapAdd":null,"CapDrop":null,"Dns":[],"ExtraHosts":null,"#,
            r#""GroupAdd":null,"IpcMode":"private","Links":null,"OomScoreAdj":0,"PidMode":"","Privileged":false,"#,
            r#""PublishAllPorts":false,"ReadonlyRootfs":false,"SecurityOpt":null,"UTSMode":"","UsernsMode":"","#,
            r#""ShmSize":67108864,"Runtime":"runc","CpuShares":0,"Memory":536870912,"NanoCpus":0,"CgroupParent":"","#,
            r#""BlkioWeight":0,"Devices":[],"DeviceCgroupRules":null,"DeviceRequests":null,"PidsLimit":null,"#,
            r#""Ulimits":null,"MaskedPaths":["/proc/asound","/proc/acpi","/proc/kcore","/proc/keys"],"#,
            r#""ReadonlyPaths":["/proc/bus","/proc/fs","/proc/irq","/proc/sys"]}},"GraphDriver":{{"Data":{{"#,
            r#""LowerDir":"/var/lib/docker/overlay2/{id}/diff","MergedDir":"/var/lib/docker/overlay2/{id}/merged","#,
            r#""UpperDir":"/var/lib/docker/overlay2/{id}/diff","WorkDir":"/var/lib/docker/overlay2/{id}/work"}},"#,
            r#""Name":"overlay2"}},"Mounts":[{{"Type":"bind","Source":"/srv/jobs/7/work","Destination":"/work","#,
            r#""Mode":"","RW":true,"Propagation":"rprivate"}}],"Config":{{"Hostname":"0123456789ab","#,
            r#""Domainname":"","User":"1000","AttachStdin":false,"Tty":false,"OpenStdin":false,"#,
            r#""Env":[{environment}],"Cmd":["--job","7"],"Image":"ghcr.io/acme/runner:7","Volumes":null,"#,
            r#""WorkingDir":"/work","Entrypoint":["/bin/run"],"OnBuild":null,"Labels":{{"com.acme.job":"7","#,
            r#""com.acme.team":"build"}}}},"NetworkSettings":{{"Bridge":"","SandboxID":"{id}","#,
            r#""Ports":{{"8080/tcp":[{{"HostIp":"0.0.0.0","HostPort":"20007"}}]}},"#,
            r#""SandboxKey":"/var/run/docker/netns/0123456789ab","Networks":{{"bridge":{{"IPAMConfig":null,"#,
            r#""Links":null,"Aliases":null,"MacAddress":"02:42:ac:11:00:09","NetworkID":"{id}","#,
            r#""EndpointID":"{id}","Gateway":"172.17.0.1","IPAddress":"172.17.0.9","IPPrefixLen":16}}}}}}}}"#,
        ),
        id = id,
        environment = environment.join(","),
    )
    .into_bytes()
}
