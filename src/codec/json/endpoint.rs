//! Endpoints, which both JSON versions write the same way.

use super::Reader;
use crate::codec::fault::Fault;
use crate::model::EndpointBuilder;

enum Member {
    ServiceName,
    Address,
    Port,
    Unknown,
}

impl Member {
    /// As nearly every sender writes them; see the members of spans.
    #[inline]
    fn known(text: &[u8]) -> Option<(Self, usize)> {
        let is = |member, name: &[u8]| text.starts_with(name).then_some((member, name.len()));
        match text.first()? {
            b's' => is(Self::ServiceName, b"serviceName\":"),
            b'i' => is(Self::Address, b"ipv4\":").or_else(|| is(Self::Address, b"ipv6\":")),
            b'p' => is(Self::Port, b"port\":"),
            _ => None,
        }
    }

    fn of(name: &str) -> Self {
        match name {
            "serviceName" => Self::ServiceName,
            // Either takes an address of either family.
            "ipv4" | "ipv6" => Self::Address,
            "port" => Self::Port,
            _ => Self::Unknown,
        }
    }
}

/// The last endpoint and its text. All spans of a message come from one process as a rule, so the next one is likely
/// the same to the byte.
#[derive(Debug, Default)]
pub(crate) struct EndpointMemo<'a> {
    text: &'a [u8],
    endpoint: EndpointBuilder,
}

/// Longer texts are not worth comparing.
const MEMO_BYTES_MAX: usize = 256;

impl<'a> EndpointMemo<'a> {
    /// As [`read_endpoint`], but quicker when it is the one before.
    pub(crate) fn read(&mut self, reader: &mut Reader<'a>, endpoint: &mut EndpointBuilder) -> Result<(), Fault> {
        if reader.take(self.text) {
            endpoint.copy_from_builder(&self.endpoint);
            return Ok(());
        }
        let start = reader.position();
        read_endpoint(reader, endpoint)?;
        let text = reader.since(start);
        if text.len() <= MEMO_BYTES_MAX {
            self.text = text;
            self.endpoint.copy_from_builder(endpoint);
        }
        Ok(())
    }
}

/// Reads one endpoint. It replaces what an earlier member of the same name said.
pub(crate) fn read_endpoint(reader: &mut Reader<'_>, endpoint: &mut EndpointBuilder) -> Result<(), Fault> {
    endpoint.clear();
    reader.begin_object("an endpoint (an object) or null")?;
    let mut first = true;
    while let Some(member) = reader.next_known(&mut first, Member::known, Member::of)? {
        match member {
            Member::Unknown => reader.skip_value()?,
            _ if reader.null() => {}
            Member::ServiceName => {
                let text = reader.string("a string or null")?;
                endpoint.set_service_name(reader.str(text));
            }
            Member::Address => {
                let text = reader.string("an address or null")?;
                endpoint.set_ip(reader.str(text));
            }
            Member::Port => {
                let port = reader.int()?;
                // Zero and below mean that there is none.
                let known = u16::try_from(port.max(0)).map_err(|_| Fault::rule(format!("invalid port {port}")))?;
                endpoint.set_port(known);
            }
        }
    }
    Ok(())
}
