//! Small inputs that ask for endless work: each is bounded, and says what was wrong or where it was cut.

use std::io::Write as _;
use std::time::{Duration, Instant};

use flate2::write::GzEncoder;
use flate2::{Compress, Compression, FlushCompress};
use serde_json::{Value, json};

use crate::harness::{Home, Server, Web};

const MIB: usize = 1024 * 1024;

/// What the bombs unfold to, in MiB.
const UNFOLDED: usize = 1_100;

/// How long anything here may take on a loaded machine; what it may compute is bounded beside it.
const LONG: Duration = Duration::from_secs(10);

/// Blocks of RFC 1951 that unfold to as many letters: one MiB, after which nothing is referred to, over and over.
fn deflated() -> Vec<u8> {
    let mut block = Vec::with_capacity(64 * 1024);
    let mut compress = Compress::new(Compression::best(), false);
    compress.compress_vec(&vec![b'a'; MIB], &mut block, FlushCompress::Full).unwrap();
    assert_eq!(usize::try_from(compress.total_in()), Ok(MIB));
    let mut blocks = block.repeat(UNFOLDED);
    blocks.extend([0x03, 0x00]);
    blocks
}

/// RFC 1952; the check sum at the end is missing, since nobody should come so far.
fn gzip() -> Vec<u8> {
    [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255], &*deflated()].concat()
}

/// RFC 1950, in the same way.
fn zlib() -> Vec<u8> {
    [&[0x78, 0x9c], &*deflated()].concat()
}

/// RFC 8878, §3.1.1: a frame with a window of 1 MiB, of blocks that each repeat one letter 128 KiB times.
fn zstd() -> Vec<u8> {
    const BLOCK: u32 = 128 * 1024;
    const REPEATED: u32 = 1 << 1;
    let [low, middle, high, _] = (BLOCK << 3 | REPEATED).to_le_bytes();
    let blocks = [low, middle, high, b'a'].repeat(UNFOLDED * 8);
    [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x50], &*blocks].concat()
}

fn twice(packed: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(packed).unwrap();
    encoder.finish().unwrap()
}

fn web(encoding: &str, body: Vec<u8>) -> Web {
    let length = body.len();
    Web::answering(&format!("200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {length}"), body)
}

#[test]
fn a_body_that_unfolds_to_a_gigabyte_is_cut_and_says_so() {
    let bombs = [web("gzip", gzip()), web("deflate", zlib()), web("zstd", zstd())];
    let nested = web("gzip, gzip", twice(&gzip()));
    let opening =
        |web: &Web| format!("[[egress.allow]]\ncidr = \"127.0.0.1\"\nport = {}\n", web.address.port());
    let home = Home::with_config(&bombs.iter().chain([&nested]).map(opening).collect::<String>());
    let server = home.serve(&[]);
    server.assert_alive();
    let before = server.peak_mib();
    let get = |web: &Web| {
        let begin = Instant::now();
        let answer = server.call("http_request", &json!({"url": web.url()}));
        assert!(begin.elapsed() < LONG, "{:?}", begin.elapsed());
        answer
    };
    for bomb in &bombs {
        let answer = get(bomb);
        let data = &answer.json()["data"];
        let seen = (&data["truncated"], &data["bytes"], data["body"].as_str().map(str::len));
        assert_eq!(seen, (&json!(true), &json!(MIB), Some(MIB)), "{answer:?}");
    }
    // What is packed twice may come out as the first packing left it; it never comes out whole.
    let answer = get(&nested);
    assert!(answer.text().len() < 4 * MIB, "{} bytes", answer.text().len());
    let grown = server.peak_mib() - before;
    assert!(grown < 64.0, "at its peak the server held {grown:.1} MiB more");
    server.assert_alive();
}

/// Expressions that grow beyond all measure.
fn bombs() -> Vec<String> {
    let mut bombs: Vec<String> = [
        "9**9**9",
        "9^9^9^9^9",
        "9**(9**9)",
        "-9**-9**9",
        "0.1**99999",
        "(1/3)**(10**9)",
        "2**10001",
        "((2**4000)**4000)**4000",
        "pow(9, pow(9, pow(9, 9)))",
        "1e999999999",
        "1e-999999999",
        "exp(exp(exp(exp(9))))",
        "9999!",
        "170!!!!!",
        "1/0",
        "10**10000 * 10**10000",
    ]
    .map(str::to_owned)
    .into();
    bombs.extend([
        format!("{}1{}", "(".repeat(511), ")".repeat(511)),
        "(".repeat(1024),
        format!("{}1{}", "abs(".repeat(204), ")".repeat(204)),
        format!("{}1", "-".repeat(1023)),
        format!("{}2", "2**".repeat(340)),
        format!("{}9", "9**999*".repeat(146)),
        "9".repeat(1025),
    ]);
    bombs
}

/// The longest expressions that are right.
fn longest() -> [String; 5] {
    [
        "9".repeat(1024),
        format!("{}9", "99999999*".repeat(113)),
        format!("{}1", "1+".repeat(511)),
        format!("max({}1)", "1,".repeat(509)),
        format!("{}1", "sin(1)+".repeat(145)),
    ]
}

fn expression(text: &str) -> Value {
    json!({"expression": text})
}

#[test]
fn an_expression_that_grows_beyond_measure_is_an_invalid_argument_at_once() {
    let home = Home::new();
    let server = home.serve(&[]);
    let mut pipe = home.mcp(&[]);
    pipe.initialize("2025-11-25");
    server.assert_alive();
    let (before, memory) = (server.computed(), server.peak_mib());
    let check = |text: &str, is_right: bool| {
        assert!(text.len() <= 1025);
        let begin = Instant::now();
        let answer = server.call("calculator", &expression(text));
        assert!(begin.elapsed() < LONG, "{text}: {:?}", begin.elapsed());
        let expected = if is_right { (200, "") } else { (422, "INVALID_ARGUMENT") };
        assert_eq!((answer.status, answer.code().as_str()), expected, "{text}: {answer:?}");
        assert!(answer.text().len() < 8 * 1024, "{text}: {} bytes", answer.text().len());
    };
    let (bombs, longest) = (bombs(), longest());
    for text in &bombs {
        check(text, false);
    }
    for text in &longest {
        check(text, true);
    }
    let calls = u32::try_from(bombs.len() + longest.len()).unwrap();
    let each = server.computed().saturating_sub(before) / calls;
    assert!(each < Duration::from_millis(100), "{each:?} for each on average");
    assert!(server.peak_mib() - memory < 32.0, "{:.1} MiB more", server.peak_mib() - memory);
    for text in &bombs {
        let result = pipe.call("calculator", &expression(text));
        assert_eq!(result["structuredContent"]["code"], "INVALID_ARGUMENT", "{text}: {result}");
    }
    let done = home.run(&["calculator", "9**9**9", "--json"]);
    assert_eq!((done.code, done.json()["code"].as_str()), (2, Some("INVALID_ARGUMENT")), "{done:?}");
    server.assert_alive();
}

/// A server with a log of long lines that almost match.
fn set_up() -> (Home, Server, String) {
    let home = Home::new();
    let line = format!("{}!\n", "a".repeat(60_000));
    let path = home.write("logs/long.log", line.repeat(20));
    let home = {
        let root = home.text_path("logs");
        home.with("MCP_ALLOWED_ROOTS", &root)
    };
    let server = home.serve(&[]);
    (home, server, path)
}

#[test]
fn a_pattern_that_ruins_other_engines_is_searched_in_linear_time() {
    let (home, server, path) = set_up();
    let mut pipe = home.mcp(&[]);
    pipe.initialize("2025-11-25");
    let patterns = [
        "(a+)+$",
        "(a*)*b",
        "(a|aa)+$",
        "(a|a?)+[0-9]",
        "([a-z]+)*b",
        "(.*)*=(.*)*",
        "^(([a-z])+.)+[0-9]([a-z])+$",
    ];
    for pattern in patterns {
        let (begin, before) = (Instant::now(), server.computed());
        let arguments = json!({"log_file": path, "pattern": pattern});
        let answer = server.call("log_analysis", &arguments);
        let (took, computed) = (begin.elapsed(), server.computed().saturating_sub(before));
        let data = &answer.json()["data"];
        assert_eq!(
            (answer.status, &data["scanned"], &data["total"]),
            (200, &json!(20), &json!(0)),
            "{answer:?}"
        );
        assert!(took < LONG && computed < LONG / 2, "{pattern}: {took:?}, {computed:?} of them computed");
        let result = pipe.call("log_analysis", &arguments);
        assert_eq!(result["structuredContent"]["data"]["total"], 0, "{pattern}: {result}");
    }
    server.assert_alive();
}

#[test]
fn a_pattern_that_unfolds_to_a_huge_program_is_an_invalid_argument() {
    let (_home, server, path) = set_up();
    server.assert_alive();
    let memory = server.peak_mib();
    let nested = format!("{}a{}", "(".repeat(500), ")".repeat(500));
    let starred = format!("a{}", "{9}".repeat(300));
    let patterns = [
        "(a{1000}){1000}",
        "((a{100}){100}){100}",
        "a{1000000000}",
        "(\\w{900}){900}",
        "[\\pL\\pN]{999}[\\pL\\pN]{999}",
        &starred,
        &nested,
        "(a",
        "(?1)a",
        "(?<=a+)b",
        "(a)\\1",
    ];
    for pattern in patterns {
        let begin = Instant::now();
        let answer = server.call("log_analysis", &json!({"log_file": path, "pattern": pattern}));
        assert_eq!(
            (answer.status, answer.code()),
            (422, "INVALID_ARGUMENT".to_owned()),
            "{pattern}: {answer:?}"
        );
        assert!(answer.text().contains("pattern"), "{answer:?}");
        assert!(begin.elapsed() < LONG, "{pattern}: {:?}", begin.elapsed());
    }
    let grown = server.peak_mib() - memory;
    assert!(grown < 64.0, "{grown:.1} MiB more");
    server.assert_alive();
}
