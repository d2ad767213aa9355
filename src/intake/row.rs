//! One row of a snapshot, as its tool spelled it.

use serde::{Serialize, Serializer};

/// One row, in the fields of the input message, each as the tool spelled it: the core knows the
/// spellings. An empty field is one that the row does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The end on the host, for example `[::]:22`.
    pub local_address: String,
    /// The other end.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remote_address: String,
    /// The protocol list, for example `tcp` or `udp,ipv6`.
    pub protocol: String,
    /// The state of the connection.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub state: String,
    /// The process that has the socket.
    #[serde(skip_serializing_if = "String::is_empty", serialize_with = "number")]
    pub process_id: String,
    /// Its name, path or command line.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub process_name: String,
    /// The service within the process.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service: String,
}

/// A process id as a number where it is one; the core judges whatever else the tool said.
fn number<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    match text.parse::<u32>() {
        Ok(number) => serializer.serialize_u32(number),
        Err(_) => serializer.serialize_str(text),
    }
}

/// An ip and a port, from columns of their own, in one: `1.2.3.4:80`, `[::1]:80`. Without a port
/// it is the ip alone, and without an ip nothing.
pub(super) fn join(ip: &str, port: &str) -> String {
    let bracketed = ip.contains(':') && !ip.starts_with('[');
    match (bracketed, port) {
        _ if ip.is_empty() => String::new(),
        (_, "") => ip.to_owned(),
        (true, port) => format!("[{ip}]:{port}"),
        (false, port) => format!("{ip}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_only_what_is_known() {
        let row = Row {
            local_address: "0.0.0.0:22".to_owned(),
            protocol: "tcp".to_owned(),
            process_id: "7".to_owned(),
            ..Row::default()
        };
        let json = serde_json::to_string(&row).unwrap();
        let expected = r#"{"local_address":"0.0.0.0:22","protocol":"tcp","process_id":7}"#;
        assert_eq!(json, expected);
    }

    #[test]
    fn an_id_that_is_no_number_is_left_to_the_core() {
        let row = Row {
            process_id: "-1".to_owned(),
            ..Row::default()
        };
        let json = serde_json::to_string(&row).unwrap();
        assert!(json.contains(r#""process_id":"-1""#), "{json}");
    }

    #[test]
    fn ips_and_ports_are_joined() {
        assert_eq!(join("1.2.3.4", "80"), "1.2.3.4:80");
        assert_eq!(join("::1", "80"), "[::1]:80");
        assert_eq!(join("fe80::1%5", "0"), "[fe80::1%5]:0");
        assert_eq!(join("[::1]", "80"), "[::1]:80");
        assert_eq!(join("::1", ""), "::1");
        assert_eq!(join("", "0"), "");
    }
}
