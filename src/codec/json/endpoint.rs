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

/// Reads one endpoint. It replaces what an earlier member of the same name said.
pub(crate) fn read_endpoint(reader: &mut Reader<'_>, endpoint: &mut EndpointBuilder) -> Result<(), Fault> {
    endpoint.clear();
    reader.begin_object("an endpoint (an object) or null")?;
    let mut first = true;
    while let Some(name) = reader.next_member(&mut first)? {
        let member = match reader.str(name) {
            "serviceName" => Member::ServiceName,
            // Either takes an address of either family.
            "ipv4" | "ipv6" => Member::Address,
            "port" => Member::Port,
            _ => Member::Unknown,
        };
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
