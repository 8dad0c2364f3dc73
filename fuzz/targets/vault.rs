//! Records of the vault.
#![no_main]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::BoxFuture;
use gabier_access::secret::{Keys, SecretName, Vault};
use gabier_store::{Expect, Memory, Records};
use gabier_tool::{Clock, Redactor, Timestamp};
use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::default()
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(futures::future::pending())
    }
}

fuzz_target!(|text: &[u8]| {
    let Ok(value) = serde_json::from_slice(text) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let _entered = runtime.enter();
    let records = Arc::new(Memory::default());
    block_on(records.put("vault", "vault", value, Expect::Any)).expect("memory takes all");
    let keys = Keys {
        file: PathBuf::from("/nowhere/key"),
        key: Some(SecretString::from("ab".repeat(32))),
        passphrase: None,
    };
    let vault = Vault::new(records, Arc::new(Still), Arc::new(Redactor::new()), keys);
    let name = SecretName::parse("db/prod").expect("it is a name");
    runtime.block_on(vault.get(&name)).expect_err("nobody but the vault makes a record that opens");
});
