//! Lines on standard input of the MCP server.
#![no_main]

mod support;

use std::time::Duration;

use gabier_toolbox::testing::os_user;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_util::sync::CancellationToken;

fuzz_target!(|bytes: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let answer = runtime.block_on(async {
        let (mut client, server) = duplex(1 << 16);
        let (input, output) = tokio::io::split(server);
        let serve = support::FACE.serve_io(os_user(), input, output, CancellationToken::new());
        let talk = async {
            let _ = client.write_all(bytes).await;
            let _ = client.shutdown().await;
            let mut answer = Vec::new();
            let _ = client.read_to_end(&mut answer).await;
            answer
        };
        let both = async { tokio::join!(serve, talk).1 };
        tokio::time::timeout(Duration::from_secs(10), both)
            .await
            .expect("the end of the input ends the server")
    });
    for line in answer.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let message: Value = serde_json::from_slice(line).expect("a line is JSON");
        assert!(message.is_object() || message.is_array());
    }
});
