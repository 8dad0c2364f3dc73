//! `check_service` against a service manager on a private bus.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::sync::Arc;

use gabier_toolbox::testing::os_user;
use gabier_toolbox::{Services, Settings};
use serde_json::{Value, json};

use crate::{call, code, data};

/// A service manager as systemd shows itself: `LoadUnit` knows every name, the unit tells whether it is there.
const MANAGER: &str = r#"
import sys
import dbus
import dbus.mainloop.glib
import dbusmock
from gi.repository import GLib

NAME, ROOT = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
bus = dbus.bus.BusConnection(sys.argv[1])
name = dbus.service.BusName(NAME, bus)
manager = dbusmock.mockobject.DBusMockObject(name, ROOT, NAME + ".Manager", {})
manager.AddMethod(NAME + ".Manager", "LoadUnit", "s", "o",
    "ret = dbus.ObjectPath('%s/unit/' + {'ssh.service': 'ssh', 'old.timer': 'old'}.get(str(args[0]), 'none'))" % ROOT)
unit = {"LoadState": "loaded", "SubState": "running", "UnitFileState": "enabled", "Description": "OpenSSH server",
        "ActiveState": "active", "ActiveEnterTimestamp": dbus.UInt64(1767323045678000),
        "InactiveEnterTimestamp": dbus.UInt64(0)}
manager.AddObject(ROOT + "/unit/ssh", NAME + ".Unit", unit, [])
manager.AddObject(ROOT + "/unit/old", NAME + ".Unit", {**unit, "ActiveState": "inactive", "SubState": "dead",
        "UnitFileState": "disabled", "Description": "Old"}, [])
manager.AddObject(ROOT + "/unit/none", NAME + ".Unit",
    {"LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead", "UnitFileState": ""}, [])
print("ready", flush=True)
GLib.MainLoop().run()
"#;

/// A bus of its own with a service manager on it; both end with it.
struct Bus {
    address: String,
    daemon: Child,
    manager: Child,
}

impl Bus {
    fn start() -> Self {
        let mut daemon = start("dbus-daemon", &["--session", "--nofork", "--print-address"]);
        let address = first_line(&mut daemon, "dbus-daemon gives its address");
        let mut manager = start("/usr/bin/python3", &["-", &address]);
        let mut input = manager.stdin.take().unwrap();
        input.write_all(MANAGER.as_bytes()).unwrap();
        drop(input);
        assert_eq!(first_line(&mut manager, "the mock manager starts (python3-dbusmock)"), "ready");
        Self { address, daemon, manager }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        for child in [&mut self.manager, &mut self.daemon] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn start(program: &str, arguments: &[&str]) -> Child {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test needs a bus and a service manager; the product starts none"
    )]
    let mut command = std::process::Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().unwrap_or_else(|error| {
        panic!("{program} does not start ({error}); ./test installs what is missing: dbus, python3-dbusmock")
    })
}

fn first_line(child: &mut Child, what: &str) -> String {
    let mut line = String::new();
    // The pipe stays open: a mock that cannot write its log fails its calls.
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(!line.is_empty(), "{what}: it ended without a word; ./test installs dbus and python3-dbusmock");
    line.trim().to_owned()
}

fn services(bus_address: &str) -> Arc<Services> {
    let mut settings = Settings::default();
    settings.monitor.bus_address = Some(bus_address.to_owned());
    Arc::new(Services::open(&settings, None).unwrap())
}

async fn check(services: &Arc<Services>, service: &str, status: &str, expected: Value) {
    let envelope = call(services, os_user(), "check_service", json!({"service": service})).await;
    assert_eq!((code(&envelope).as_str(), data(&envelope)), (status, expected));
}

#[tokio::test]
async fn services_are_told_as_the_manager_knows_them() {
    let bus = Bus::start();
    let services = services(&bus.address);
    check(
        &services,
        "ssh",
        "ok",
        json!({
            "service": "ssh.service", "active": true, "enabled": true, "since": "2026-01-02T03:04:05.678Z",
            "detail": "active (running), loaded, enabled, OpenSSH server",
        }),
    )
    .await;
    check(
        &services,
        "old.timer",
        "ok",
        json!({
            "service": "old.timer", "active": false, "enabled": false, "since": null,
            "detail": "inactive (dead), loaded, disabled, Old",
        }),
    )
    .await;
    check(
        &services,
        "nothing",
        "not_found",
        json!({
            "service": "nothing.service", "active": false, "enabled": false, "since": null,
            "detail": "there is no such unit",
        }),
    )
    .await;
}

#[tokio::test]
async fn without_a_bus_the_tool_is_not_available() {
    let folder = tempfile::tempdir().unwrap();
    let services = services(&format!("unix:path={}/bus", folder.path().display()));
    let envelope = call(&services, os_user(), "check_service", json!({"service": "ssh"})).await;
    assert_eq!(code(&envelope), "NOT_AVAILABLE");
}

#[tokio::test]
async fn a_bus_without_a_service_manager_is_not_available() {
    let mut bus = Bus::start();
    bus.manager.kill().unwrap();
    bus.manager.wait().unwrap();
    let envelope = call(&services(&bus.address), os_user(), "check_service", json!({"service": "ssh"})).await;
    assert_eq!(code(&envelope), "NOT_AVAILABLE");
}

#[tokio::test]
async fn a_name_that_is_no_unit_is_refused() {
    let services = services("unix:path=/nowhere");
    for service in ["", "-h", "a b", "a/b", "a;b", "é"] {
        let envelope = call(&services, os_user(), "check_service", json!({"service": service})).await;
        assert_eq!(code(&envelope), "INVALID_ARGUMENT", "{service:?}");
    }
}
