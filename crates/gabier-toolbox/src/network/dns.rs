//! What a name or an address stands for in the DNS.

use std::net::IpAddr;
use std::time::Duration;

use gabier_tool::{Context, Effect, Error, ErrorKind, Outcome, Profile, Result, Status, Tool};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RecordType};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Dns, Server};
use crate::Services;

/// The longest a lookup may take.
const LIMIT: Duration = Duration::from_secs(10);

/// The longest one server is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// Looks up DNS records of a name, or the names of an address.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct DnsLookup {
    /// Name or address.
    #[schemars(length(min = 1, max = 253), extend("x-aliases" = ["host", "hostname", "domain"]))]
    name: String,
    /// Record type; `auto`: A and AAAA of a name, PTR of an address.
    #[serde(rename = "type", default)]
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
enum Kind {
    #[default]
    #[serde(rename = "auto")]
    Auto,
    A,
    #[serde(rename = "AAAA")]
    Aaaa,
    #[serde(rename = "CNAME")]
    Cname,
    #[serde(rename = "MX")]
    Mx,
    #[serde(rename = "NS")]
    Ns,
    #[serde(rename = "TXT")]
    Txt,
    #[serde(rename = "PTR")]
    Ptr,
    #[serde(rename = "SRV")]
    Srv,
    #[serde(rename = "SOA")]
    Soa,
    #[serde(rename = "CAA")]
    Caa,
}

/// What the DNS says.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Answers {
    /// What was asked for.
    query: String,
    /// The type that was asked for.
    #[serde(rename = "type")]
    kind: String,
    /// The records.
    records: Vec<DnsRecord>,
    #[serde(skip)]
    exists: bool,
}

/// One record.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct DnsRecord {
    /// Its type.
    #[serde(rename = "type")]
    kind: String,
    /// What it says, as zone files write it.
    value: String,
    /// How long it may be kept, in seconds.
    ttl: u32,
}

impl Tool<Services> for DnsLookup {
    const NAME: &'static str = "dns_lookup";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Core;
    const OPEN_WORLD: bool = true;
    type Output = Answers;

    async fn run(self, ctx: &Context<Services>) -> Result<Answers> {
        let (name, types) = question(&self.name, self.kind)?;
        let resolver = ctx.services.network.resolver()?;
        let asked = futures::future::join_all(types.iter().map(|kind| resolver.lookup(name.clone(), *kind)));
        let answers = tokio::time::timeout(LIMIT, asked).await.map_err(|_| silent(&self.name))?;
        let mut found = Answers {
            query: self.name.clone(),
            kind: types.iter().map(ToString::to_string).collect::<Vec<_>>().join("+"),
            records: Vec::new(),
            exists: false,
        };
        for answer in answers {
            found.add(answer, &self.name)?;
        }
        Ok(found)
    }

    fn outcome(answers: &Answers) -> Outcome {
        Outcome::of(if answers.exists { Status::Ok } else { Status::NotFound })
    }
}

impl Answers {
    fn add(&mut self, answer: std::result::Result<Lookup, NetError>, name: &str) -> Result<()> {
        match answer {
            Ok(lookup) => {
                self.exists = true;
                let records = lookup.answers().iter().map(|record| DnsRecord {
                    kind: record.record_type().to_string(),
                    value: record.data.to_string(),
                    ttl: record.ttl,
                });
                for record in records {
                    if !self.records.contains(&record) {
                        self.records.push(record);
                    }
                }
                Ok(())
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => match none.response_code {
                ResponseCode::NXDomain => Ok(()),
                ResponseCode::NoError => {
                    self.exists = true;
                    Ok(())
                }
                code => Err(failed(name, code.to_str())),
            },
            Err(NetError::Dns(DnsError::ResponseCode(code))) => Err(failed(name, code.to_str())),
            Err(NetError::Timeout) => Err(silent(name)),
            Err(error) => Err(failed(name, &gabier_egress::reason_of(&error)).with_source(error)),
        }
    }
}

/// The name to ask about and the types to ask for.
fn question(text: &str, kind: Kind) -> Result<(Name, Vec<RecordType>)> {
    let types = match kind {
        Kind::Auto => vec![RecordType::A, RecordType::AAAA],
        Kind::A => vec![RecordType::A],
        Kind::Aaaa => vec![RecordType::AAAA],
        Kind::Cname => vec![RecordType::CNAME],
        Kind::Mx => vec![RecordType::MX],
        Kind::Ns => vec![RecordType::NS],
        Kind::Txt => vec![RecordType::TXT],
        Kind::Ptr => vec![RecordType::PTR],
        Kind::Srv => vec![RecordType::SRV],
        Kind::Soa => vec![RecordType::SOA],
        Kind::Caa => vec![RecordType::CAA],
    };
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    match (bare.parse::<IpAddr>(), kind) {
        (Ok(address), Kind::Auto | Kind::Ptr) => {
            Ok((Name::from(address.to_canonical()), vec![RecordType::PTR]))
        }
        (Ok(_), _) => Err(Error::invalid("type", "must be PTR or auto for an address")),
        (Err(_), _) if text.contains(char::is_whitespace) => {
            Err(Error::invalid("name", "must not hold spaces"))
        }
        (Err(_), _) => Name::from_utf8(text)
            .map(|name| (name, types))
            .map_err(|error| Error::invalid("name", format!("is no name: {error}"))),
    }
}

/// A resolver over the servers of the settings, or the system's.
pub(super) fn resolver(settings: &Dns) -> Result<TokioResolver> {
    let unavailable = |error: NetError| {
        Error::new(ErrorKind::NotAvailable, "no name server is configured").with_source(error)
    };
    let mut builder = if settings.servers.is_empty() {
        TokioResolver::builder_tokio().map_err(unavailable)?
    } else {
        let servers = settings.servers.iter().map(name_server).collect();
        TokioResolver::builder_with_config(
            ResolverConfig::from_name_servers(servers),
            TokioRuntimeProvider::default(),
        )
    };
    let options = builder.options_mut();
    options.timeout = options.timeout.min(PATIENCE);
    options.attempts = options.attempts.min(2);
    builder.build().map_err(unavailable)
}

fn name_server(server: &Server) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.0.port();
        connection
    });
    NameServerConfig::new(server.0.ip(), true, connections.into())
}

fn silent(name: &str) -> Error {
    Error::new(ErrorKind::Timeout, format!("no name server answered about {name}")).with("host", name)
}

fn failed(name: &str, reason: &str) -> Error {
    Error::new(ErrorKind::ConnectionFailed, format!("looking up {name} failed: {reason}"))
        .with("host", name)
        .with("reason", reason)
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;
    use std::sync::Arc;

    use hickory_proto::op::{Message, MessageType};
    use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, PTR, TXT};
    use hickory_proto::rr::{RData, Record};
    use hickory_proto::serialize::binary::{BinDecodable, BinEncodable};
    use tokio::net::UdpSocket;

    use super::*;
    use crate::network::Settings;
    use crate::network::stub::services;
    use crate::testing::{call_as, os_user};

    /// A name server over UDP that knows `example.test` and its kin.
    async fn server() -> Dns {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut bytes = [0; 1500];
            while let Ok((count, from)) = socket.recv_from(&mut bytes).await {
                let question = Message::from_bytes(&bytes[..count]).unwrap();
                let _ = socket.send_to(&answer(&question).to_bytes().unwrap(), from).await;
            }
        });
        Dns { servers: vec![Server(address)] }
    }

    fn answer(question: &Message) -> Message {
        let query = question.queries[0].clone();
        let name = |text: &str| Name::from_str(text).unwrap();
        let mut answer = question.clone();
        answer.metadata.message_type = MessageType::Response;
        answer.additionals.clear();
        let records: Vec<RData> = match (query.name().to_string().as_str(), query.query_type()) {
            ("example.test.", RecordType::A) => vec![RData::A(A::new(192, 0, 2, 7))],
            ("example.test.", RecordType::AAAA) => vec![RData::AAAA(AAAA::from_str("2001:db8::7").unwrap())],
            ("example.test.", RecordType::MX) => vec![RData::MX(MX::new(10, name("mail.example.test.")))],
            ("example.test.", RecordType::TXT) => vec![RData::TXT(TXT::new(vec!["v=spf1 -all".to_owned()]))],
            ("www.example.test.", RecordType::CNAME) => vec![RData::CNAME(CNAME(name("example.test.")))],
            ("7.2.0.192.in-addr.arpa.", RecordType::PTR) => vec![RData::PTR(PTR(name("example.test.")))],
            ("example.test." | "www.example.test.", _) => vec![],
            ("broken.test.", _) => {
                answer.metadata.response_code = ResponseCode::ServFail;
                vec![]
            }
            _ => {
                answer.metadata.response_code = ResponseCode::NXDomain;
                vec![]
            }
        };
        let records = records.into_iter().map(|data| Record::from_rdata(query.name().clone(), 300, data));
        answer.add_answers(records);
        answer
    }

    async fn check(arguments: &str, expected: &str) {
        let settings = Settings { dns: server().await, ..Settings::default() };
        let found = call_as::<DnsLookup>(&Arc::new(services(&settings)), os_user(), arguments).await;
        assert_eq!(found, expected, "{arguments}");
    }

    #[tokio::test]
    async fn a_name_has_its_addresses_of_both_kinds() {
        let expected = r#"{"query":"example.test","type":"A+AAAA","records":[{"type":"A","value":"192.0.2.7","ttl":300},{"type":"AAAA","value":"2001:db8::7","ttl":300}]}"#;
        check(r#"{"name": "example.test"}"#, expected).await;
        for alias in ["host", "hostname", "domain"] {
            check(&format!(r#"{{"{alias}": "example.test"}}"#), expected).await;
        }
    }

    #[tokio::test]
    async fn an_address_has_its_names() {
        let expected = r#"{"query":"192.0.2.7","type":"PTR","records":[{"type":"PTR","value":"example.test.","ttl":300}]}"#;
        check(r#"{"name": "192.0.2.7"}"#, expected).await;
        check(r#"{"name": "192.0.2.7", "type": "PTR"}"#, expected).await;
    }

    #[tokio::test]
    async fn records_are_written_as_in_zone_files() {
        for (kind, value) in [("MX", "10 mail.example.test."), ("TXT", "v=spf1 -all")] {
            let expected = format!(
                r#"{{"query":"example.test","type":"{kind}","records":[{{"type":"{kind}","value":"{value}","ttl":300}}]}}"#
            );
            check(&format!(r#"{{"name": "example.test", "type": "{kind}"}}"#), &expected).await;
        }
    }

    #[tokio::test]
    async fn no_such_name_is_an_answer_and_so_is_a_name_without_such_records() {
        check(
            r#"{"name": "nowhere.test"}"#,
            r#"not_found {"query":"nowhere.test","type":"A+AAAA","records":[]}"#,
        )
        .await;
        check(
            r#"{"name": "example.test", "type": "SRV"}"#,
            r#"{"query":"example.test","type":"SRV","records":[]}"#,
        )
        .await;
    }

    #[tokio::test]
    async fn a_server_that_fails_is_a_failed_connection() {
        check(
            r#"{"name": "broken.test", "type": "A"}"#,
            "CONNECTION_FAILED looking up broken.test failed: Server Failure",
        )
        .await;
    }

    #[tokio::test]
    async fn what_cannot_be_asked_is_refused() {
        check(
            r#"{"name": "192.0.2.7", "type": "MX"}"#,
            "INVALID_ARGUMENT type: must be PTR or auto for an address",
        )
        .await;
        check(r#"{"name": "a b"}"#, "INVALID_ARGUMENT name: must not hold spaces").await;
    }
}
