//! What is refused, and what its error says.

use super::super::*;
use super::{Given, of_file};

/// Files that are refused, and why by the snapshot.
const REFUSED: &[&str] = &[
    "workers = 0",
    "workers = \"two\"",
    "workers = 1\nworkers = 2",
    "workers =",
    "sorce.topic = \"a\"",
    "colour = 1",
    "[colour]",
    "source = 5",
    "delivery = \"at_most_once\"",
    "instance = \"a b\"",
    "[kafka]\nbootstrap = \"\"",
    "[kafka]\nbootstrap = \",\"",
    "[kafka]\nbootstrap = \"localhost:99999\"",
    "[kafka]\nbootstrap = [\"a:1\", \"b:1\"]",
    "[kafka]\nbootstrap = \"${env:BROKERS}\"",
    "[kafka]\nbootstrap.servers = \"a:1\"",
    "[kafka]\nclient.rak = \"a\"",
    "[kafka.consumer]\nfetch.min.byte = 1",
    "[kafka]\nbootstrp = \"a:1\"",
    "[kafka]\nsecurity.protocol = \"tls\"",
    "[kafka.consumer]\nauto.offset.reset = \"error\"",
    "[kafka]\ngroup_protocol = \"consumer\"\nconsumer.session.timeout.ms = 6000",
    "[kafka]\nsasl.password = \"${env:NOT_SET}\"",
    "[kafka]\nsasl.password = \"${file:/nonexistent}\"",
    "[kafka]\nclient.rack = \"a\"\n\"client.rack\" = \"b\"",
    "[kafka]\nstatic_membership = true\ngroup_protocol = \"consumer\"",
    "[source]\ntopic = []",
    "[source]\ntopic = \"a b\"",
    "[source]\ntopic = \"^(\"",
    "[source]\ntopic = \"^network_connection\"",
    "[source]\ntopic = [\"a\", \"network_connection.listeners\"]",
    "[source]\nformat = \"xml\"",
    "outputs = []",
    "outputs = 5",
    "[[outputs]]\nname = \"a\"",
    "[[outputs]]\ntopic = \"a\"\nkinds = [\"listener\", \"server\"]",
    "[[outputs]]\ntopic = \"a\"\nkinds = []",
    "[[outputs]]\ntopic = \"a\"\nfromat = \"json\"",
    "[[outputs]]\ntopic = \"a\"\nframing = \"confluent\"",
    "schema_registry.url = \"r:1\"\n[[outputs]]\ntopic = \"a\"",
    "schema_registry.url = \"http://me:hunter2@r:1\"",
    "[schema_registry]\nurl = \"http://r:1\"\nusername = \"u\"",
    "[schema_registry]\nurl = \"http://r:1\"\nusername = \"u\"\npassword = \"${env:NOT_SET}\"",
    "schema_registry.url = \"http://r:1\"\n[[outputs]]\ntopic = \"a\"\nframing = \"confluent\"\nsubject = \"record\"\n[[outputs]]\ntopic = \"b\"\nformat = \"json\"\nframing = \"confluent\"\nsubject = \"record\"",
    "[[outputs]]\ntopic = \"a\"\nfilter = \"listener\"",
    "[[outputs]]\ntopic = \"a\"\nfilter = {}",
    "[[outputs]]\ntopic = \"a\"\nfilter = { knd = \"listener\" }",
    "[[outputs]]\ntopic = \"a\"\nfilter.perimeter = \"inbound\"",
    "[[outputs]]\ntopic = \"a\"\nfilter.colour = \"red\"",
    "[[outputs]]\ntopic = \"a\"\nfilter.direction = \"inbound\"",
    "[[outputs]]\ntopic = \"a\"\nfilter.direction.perimetr = \"inbound\"",
    "[[outputs]]\ntopic = \"a\"\n[outputs.filter]\nnot.any = [\n{ kind = \"idle\" },\n{ state = [\"LISTEN\", \"estblished\"] },\n]",
    "[[outputs]]\ntopic = \"a\"\nfilter.exposure = \"everyone\"",
    "[[outputs]]\ntopic = \"a\"\nfilter.category = []",
    "[[outputs]]\ntopic = \"a\"\nfilter.all = []",
    "[[outputs]]\ntopic = \"a\"\nfilter.any = { kind = \"idle\" }",
    "[[outputs]]\ntopic = \"a\"\nfilter.not = [{ kind = \"idle\" }]",
    "[[outputs]]\ntopic = \"a\"\nfilter.label.site = \"\"",
    "[[outputs]]\ntopic = \"a\"\nfilter.label.site = \"ber\"",
    "enrich.disable = \"direction\"\n[[outputs]]\ntopic = \"a\"\nfilter.not.direction.initiator = \"local\"",
    "enrich.disable = \"community_id\"\n[[outputs]]\ntopic = \"a\"\nkey = \"community_id\"",
    "[[outputs]]\ntopic = \"a\"\n[[outputs]]\ntopic = \"a\"",
    "[outputs.other]\ntopic = \"a\"",
    "[dead_letters]\ntopic = \"network_connection.listeners\"",
    "[dead_letters]\ntopic = \"network_connection\"",
    "[commit]\ninterval = 100",
    "[commit]\ninterval = \"2h\"",
    "delivery = \"exactly_once\"\n[commit]\ninterval = \"10s\"",
    "[validate]\nreject = [\"expird\"]",
    "[validate]\nmax_message_bytes = \"16 Mib\"",
    "[networks]\ninternal = [\"10.0.0.1/8\"]",
    "[networks]\ninternal = \"privat\"",
    "[enrich]\ndisable = \"directions\"",
    "[enrich]\ncommunity_id_seed = 65536",
    "[brake]\nmax_rejected_share = 1.5",
    "[http]\nlisten = \"9898\"",
    "[log]\nlevel = \"loud\"",
];

#[test]
#[expect(clippy::too_many_lines, reason = "one snapshot of every line")]
fn an_error_says_what_where_and_what_to_do() {
    let lines = REFUSED.iter().map(|file| {
        format!(
            "{}\n    {}",
            file.replace('\n', "\\n"),
            of_file(file).error()
        )
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r#"
        workers = 0
            workers cannot be 0, netsieve.toml:1: give a whole number, 1 to 256
        workers = "two"
            workers cannot be "two", netsieve.toml:1: give a whole number, 1 to 256
        workers = 1\nworkers = 2
            not valid TOML (duplicate key), netsieve.toml:2: mend that line
        workers =
            not valid TOML (string values must be quoted, expected literal string), netsieve.toml:1: mend that line
        sorce.topic = "a"
            unknown key sorce.topic, netsieve.toml:1: did you mean source.topic?
        colour = 1
            unknown key colour, netsieve.toml:1: see docs/configuration.md for every key
        [colour]
            unknown key colour, netsieve.toml:1: see docs/configuration.md for every key
        source = 5
            source cannot be 5, netsieve.toml:1: write [source] and its keys below
        delivery = "at_most_once"
            delivery cannot be "at_most_once", netsieve.toml:1: did you mean at_least_once?
        instance = "a b"
            instance cannot be "a b", netsieve.toml:1: give at most 249 letters, digits, dots, underscores and hyphens
        [kafka]\nbootstrap = ""
            kafka.bootstrap is empty, netsieve.toml:2: give HOST:PORT of a broker, or of several with commas between
        [kafka]\nbootstrap = ","
            kafka.bootstrap cannot be ",", netsieve.toml:2: give HOST:PORT of a broker, or of several with commas between
        [kafka]\nbootstrap = "localhost:99999"
            kafka.bootstrap cannot be "localhost:99999", netsieve.toml:2: give HOST:PORT of a broker, or of several with commas between
        [kafka]\nbootstrap = ["a:1", "b:1"]
            kafka.bootstrap cannot be a list, netsieve.toml:2: give HOST:PORT of a broker, or of several with commas between
        [kafka]\nbootstrap = "${env:BROKERS}"
            kafka.bootstrap takes no reference, netsieve.toml:2: use ${env:…} and ${file:…} for librdkafka properties and passwords only
        [kafka]\nbootstrap.servers = "a:1"
            kafka.bootstrap.servers cannot be given (set `kafka.bootstrap` instead), netsieve.toml:2: remove it
        [kafka]\nclient.rak = "a"
            unknown key kafka.client.rak, netsieve.toml:2: did you mean kafka.client.rack?
        [kafka.consumer]\nfetch.min.byte = 1
            unknown key kafka.consumer.fetch.min.byte, netsieve.toml:2: did you mean kafka.consumer.fetch.min.bytes?
        [kafka]\nbootstrp = "a:1"
            unknown key kafka.bootstrp, netsieve.toml:2: did you mean kafka.bootstrap?
        [kafka]\nsecurity.protocol = "tls"
            kafka.security.protocol is refused by librdkafka (Invalid value "tls" for configuration property "security.protocol"), netsieve.toml:2: give a value that it takes
        [kafka.consumer]\nauto.offset.reset = "error"
            kafka.consumer.auto.offset.reset cannot be "error", netsieve.toml:2: give earliest or latest, and see source.on_data_loss
        [kafka]\ngroup_protocol = "consumer"\nconsumer.session.timeout.ms = 6000
            kafka.consumer.session.timeout.ms does not go with kafka.group_protocol "consumer", netsieve.toml:3: remove it, the broker decides it
        [kafka]\nsasl.password = "${env:NOT_SET}"
            kafka.sasl.password refers to the variable NOT_SET, which is not set, netsieve.toml:2: set it
        [kafka]\nsasl.password = "${file:/nonexistent}"
            kafka.sasl.password refers to the file /nonexistent (No such file or directory (os error 2)), netsieve.toml:2: make it readable or name another
        [kafka]\nclient.rack = "a"\n"client.rack" = "b"
            kafka.client.rack is given twice, first at netsieve.toml:2, netsieve.toml:3: keep one of them
        [kafka]\nstatic_membership = true\ngroup_protocol = "consumer"
            kafka.group_protocol "consumer" does not go with kafka.static_membership, netsieve.toml:3: turn one of them off
        [source]\ntopic = []
            source.topic is an empty list, netsieve.toml:2: give at least one
        [source]\ntopic = "a b"
            source.topic cannot be "a b", netsieve.toml:2: give letters, digits, dots, underscores and hyphens, or a ^pattern
        [source]\ntopic = "^("
            source.topic has the pattern "^(", which is not valid, netsieve.toml:2: give a POSIX extended regular expression
        [source]\ntopic = "^network_connection"
            source.topic "^network_connection" takes in network_connection.connections, which netsieve writes to, netsieve.toml:2: keep the source apart from outputs and dead letters
        [source]\ntopic = ["a", "network_connection.listeners"]
            source.topic "network_connection.listeners" takes in network_connection.listeners, which netsieve writes to, netsieve.toml:2: keep the source apart from outputs and dead letters
        [source]\nformat = "xml"
            source.format cannot be "xml", netsieve.toml:2: give one of auto, json, protobuf
        outputs = []
            outputs is empty, netsieve.toml:1: give at least one output
        outputs = 5
            outputs cannot be that, netsieve.toml:1: give a list of tables, [[outputs]]
        [[outputs]]\nname = "a"
            outputs[0].topic is not given, netsieve.toml:1: give it
        [[outputs]]\ntopic = "a"\nkinds = ["listener", "server"]
            outputs[0].kinds cannot be "server", netsieve.toml:3: give a list of connection, listener, idle
        [[outputs]]\ntopic = "a"\nkinds = []
            outputs[0].kinds is empty, netsieve.toml:3: name at least one kind
        [[outputs]]\ntopic = "a"\nfromat = "json"
            unknown key outputs[0].fromat, netsieve.toml:3: did you mean format?
        [[outputs]]\ntopic = "a"\nframing = "confluent"
            outputs[0].framing needs a schema registry, netsieve.toml:3: give schema_registry.url
        schema_registry.url = "r:1"\n[[outputs]]\ntopic = "a"
            schema_registry.url is no such address, netsieve.toml:1: give http://HOST:PORT or https://HOST:PORT, and credentials by their own keys
        schema_registry.url = "http://me:hunter2@r:1"
            schema_registry.url is no such address, netsieve.toml:1: give http://HOST:PORT or https://HOST:PORT, and credentials by their own keys
        [schema_registry]\nurl = "http://r:1"\nusername = "u"
            schema_registry.username goes with another key, netsieve.toml:3: give schema_registry.username and schema_registry.password
        [schema_registry]\nurl = "http://r:1"\nusername = "u"\npassword = "${env:NOT_SET}"
            schema_registry.password refers to the variable NOT_SET, which is not set, netsieve.toml:4: set it
        schema_registry.url = "http://r:1"\n[[outputs]]\ntopic = "a"\nframing = "confluent"\nsubject = "record"\n[[outputs]]\ntopic = "b"\nformat = "json"\nframing = "confluent"\nsubject = "record"
            outputs[0].framing has the subject "netsieve.v1.Event", as an output in another format has, netsieve.toml:4: give them different subjects
        [[outputs]]\ntopic = "a"\nfilter = "listener"
            outputs[0].filter cannot be "listener", netsieve.toml:3: give a table such as { kind = "listener" }
        [[outputs]]\ntopic = "a"\nfilter = {}
            outputs[0].filter is empty, netsieve.toml:3: give it a condition
        [[outputs]]\ntopic = "a"\nfilter = { knd = "listener" }
            unknown key outputs[0].filter.knd, netsieve.toml:3: did you mean kind?
        [[outputs]]\ntopic = "a"\nfilter.perimeter = "inbound"
            unknown key outputs[0].filter.perimeter, netsieve.toml:3: did you mean direction.perimeter?
        [[outputs]]\ntopic = "a"\nfilter.colour = "red"
            unknown key outputs[0].filter.colour, netsieve.toml:3: give one of kind, state, direction.host, direction.perimeter, direction.initiator, scope.local, scope.remote, exposure, category, warning, label.name, label.role, label.site, label.tenant, all, any, not
        [[outputs]]\ntopic = "a"\nfilter.direction = "inbound"
            outputs[0].filter.direction cannot be "inbound", netsieve.toml:3: give one of direction.host, direction.perimeter, direction.initiator
        [[outputs]]\ntopic = "a"\nfilter.direction.perimetr = "inbound"
            unknown key outputs[0].filter.direction.perimetr, netsieve.toml:3: did you mean direction.perimeter?
        [[outputs]]\ntopic = "a"\n[outputs.filter]\nnot.any = [\n{ kind = "idle" },\n{ state = ["LISTEN", "estblished"] },\n]
            outputs[0].filter.not.any[1].state cannot be "estblished", netsieve.toml:6: did you mean ESTABLISHED?
        [[outputs]]\ntopic = "a"\nfilter.exposure = "everyone"
            outputs[0].filter.exposure cannot be "everyone", netsieve.toml:3: give one of loopback, link_local, private, global, any
        [[outputs]]\ntopic = "a"\nfilter.category = []
            outputs[0].filter.category is empty, netsieve.toml:3: name at least one
        [[outputs]]\ntopic = "a"\nfilter.all = []
            outputs[0].filter.all is empty, netsieve.toml:3: give it a condition
        [[outputs]]\ntopic = "a"\nfilter.any = { kind = "idle" }
            outputs[0].filter.any cannot be a table, netsieve.toml:3: give a list of tables
        [[outputs]]\ntopic = "a"\nfilter.not = [{ kind = "idle" }]
            outputs[0].filter.not cannot be a list, netsieve.toml:3: give a table such as { kind = "listener" }
        [[outputs]]\ntopic = "a"\nfilter.label.site = ""
            outputs[0].filter.label.site cannot be "", netsieve.toml:3: give a text or a list of texts
        [[outputs]]\ntopic = "a"\nfilter.label.site = "ber"
            outputs[0].filter asks for labels, and there are none, netsieve.toml:3: name their file in networks.labels
        enrich.disable = "direction"\n[[outputs]]\ntopic = "a"\nfilter.not.direction.initiator = "local"
            outputs[0].filter needs the enrichment direction, which is off, netsieve.toml:4: take it out of enrich.disable
        enrich.disable = "community_id"\n[[outputs]]\ntopic = "a"\nkey = "community_id"
            outputs[0].key needs the enrichment community_id, which is off, netsieve.toml:4: take it out of enrich.disable
        [[outputs]]\ntopic = "a"\n[[outputs]]\ntopic = "a"
            two outputs have the name a, netsieve.toml:3: give each its own name
        [outputs.other]\ntopic = "a"
            outputs.other.topic is of no output, none has the name other, netsieve.toml:2: name one of outputs
        [dead_letters]\ntopic = "network_connection.listeners"
            dead_letters.topic "network_connection.listeners" is an output's topic as well, netsieve.toml:2: name another topic
        [dead_letters]\ntopic = "network_connection"
            source.topic "network_connection" takes in network_connection, which netsieve writes to, netsieve.toml:2: keep the source apart from outputs and dead letters
        [commit]\ninterval = 100
            commit.interval cannot be 100, netsieve.toml:2: give a duration, 1ms to 1m
        [commit]\ninterval = "2h"
            commit.interval cannot be "2h", netsieve.toml:2: give a duration, 1ms to 1m
        delivery = "exactly_once"\n[commit]\ninterval = "10s"
            commit.interval is too long for delivery "exactly_once", netsieve.toml:3: give at most 5s
        [validate]\nreject = ["expird"]
            validate.reject cannot be "expird", netsieve.toml:2: did you mean expired?
        [validate]\nmax_message_bytes = "16 Mib"
            validate.max_message_bytes cannot be "16 Mib", netsieve.toml:2: give a size, 1 KiB to 1 GiB
        [networks]\ninternal = ["10.0.0.1/8"]
            networks.internal "10.0.0.1/8" has bits set after its prefix, netsieve.toml:2: give a CIDR such as 10.0.0.0/8, or the name of a scope such as private
        [networks]\ninternal = "privat"
            networks.internal "privat" is neither a prefix nor the name of a scope, netsieve.toml:2: give a CIDR such as 10.0.0.0/8, or the name of a scope such as private
        [enrich]\ndisable = "directions"
            enrich.disable cannot be "directions", netsieve.toml:2: did you mean direction?
        [enrich]\ncommunity_id_seed = 65536
            enrich.community_id_seed cannot be 65536, netsieve.toml:2: give a whole number, 0 to 65535
        [brake]\nmax_rejected_share = 1.5
            brake.max_rejected_share cannot be 1.5, netsieve.toml:2: give a number between 0 and 1
        [http]\nlisten = "9898"
            http.listen cannot be "9898", netsieve.toml:2: give ADDRESS:PORT or off
        [log]\nlevel = "loud"
            log.level cannot be "loud", netsieve.toml:2: give one of error, warn, info, debug, trace
        "#);
}

#[test]
fn an_error_names_the_source_it_is_of() {
    let from = |variables: &[(&str, &str)], set: &[&str]| {
        let given = Given {
            variables,
            set,
            ..Given::default()
        };
        given.error()
    };
    let missing = load(&Sources {
        file: Some("/nonexistent/netsieve.toml".into()),
        ..Sources::default()
    });
    let lines = [
        missing.unwrap_err().to_string(),
        from(&[("NETSIEVE__SOURCE__TOPC", "a")], &[]),
        from(&[("NETSIEVE__WORKERS", "many")], &[]),
        from(&[], &["log.levle=info"]),
        from(&[], &["kafka.nothing.such=1"]),
        from(&[], &["workers"]),
        from(&[], &["=1"]),
        from(&[], &["a\nb=1"]),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r#"
        cannot read the configuration (No such file or directory (os error 2)), /nonexistent/netsieve.toml: check the path given to --config
        unknown key source.topc, NETSIEVE__SOURCE__TOPC: did you mean source.topic?
        workers cannot be "many", NETSIEVE__WORKERS: give a whole number, 1 to 256
        unknown key log.levle, --set: did you mean log.level?
        unknown key kafka.nothing.such, --set: see librdkafka's list of properties
        an argument without key and value, --set: write --set section.key=value
        an argument without key and value, --set: write --set section.key=value
        unknown key a\nb, --set: see docs/configuration.md for every key
        "#);
}
