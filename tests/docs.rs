//! What `docs/`, the example file and the JSON Schemas say is what the code does.
//! `UPDATE_DOCS=1 cargo test --test docs` rewrites them.

mod common;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use common::formats::pages;
use netsieve::config::keys::{Form, KEYS};
use netsieve::config::{Sources, load};
use netsieve::observe::metrics;
use netsieve::pipeline::code::{Rejection, Warning};
use netsieve::pipeline::settings::Format;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a file with what it should be, or writes it.
fn is_up_to_date(path: &Path, expected: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, expected).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    let name = path.display();
    assert!(
        found == expected,
        "{name} is not what the code says; UPDATE_DOCS=1 cargo test --test docs rewrites it"
    );
}

/// A page of `docs/` with `table` between its two marks, the words around it left alone.
fn page_has_table(name: &str, table: &str) {
    const BEGIN: &str = "<!-- made from the code: begin -->\n";
    const END: &str = "<!-- made from the code: end -->\n";
    let path: PathBuf = root().join("docs").join(name);
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page has its begin mark");
    let (_, after) = rest.split_once(END).expect("the page has its end mark");
    is_up_to_date(&path, &format!("{before}{BEGIN}\n{table}\n{END}{after}"));
}

#[test]
fn json_schemas_are_those_of_the_code() {
    use common::json_schema;
    for (name, schema) in [
        ("event", json_schema::event()),
        ("reject", json_schema::reject()),
    ] {
        let path = root().join(format!("proto/netsieve/v1/{name}.schema.json"));
        is_up_to_date(&path, &format!("{schema:#}\n"));
    }
}

#[test]
fn configuration_lists_every_key() {
    let mut table = String::from("| key | value | default | meaning |\n|---|---|---|---|\n");
    for key in KEYS {
        let default = match (key.default, &key.form) {
            (None, _) => String::new(),
            (Some(_), Form::Tables) => "the two of the [example](../netsieve.example.toml)".into(),
            (Some(default), _) => format!("`{default}`"),
        };
        let value = key.form.expected();
        writeln!(
            table,
            "| `{}` | {value} | {default} | {} |",
            key.path, key.meaning
        )
        .unwrap();
    }
    page_has_table("configuration.md", &table);
}

#[test]
fn metrics_are_all_listed() {
    let mut table = String::from("| metric | kind | labels | meaning |\n|---|---|---|---|\n");
    for metric in metrics::ALL {
        let labels = metric.labels.iter().map(|label| format!("`{label}`"));
        let labels = labels.collect::<Vec<_>>().join(" ");
        let (name, kind, help) = (metric.name, metric.kind.name(), metric.help);
        writeln!(table, "| `{name}` | {kind} | {labels} | {help} |").unwrap();
    }
    page_has_table("metrics.md", &table);
}

#[test]
fn codes_are_all_listed() {
    let mut table = String::new();
    let head = "| code | level | stage | meaning |\n|---|---|---|---|\n";
    let mut row = |name, level: &str, stage: &str, meaning| {
        writeln!(table, "| `{name}` | {level} | {stage} | {meaning} |").unwrap();
    };
    for code in Rejection::ALL {
        row(
            code.name(),
            code.level().name(),
            code.stage().name(),
            code.meaning(),
        );
    }
    let rejections = std::mem::take(&mut table);
    let mut row = |name, level: &str, stage: &str, meaning| {
        writeln!(table, "| `{name}` | {level} | {stage} | {meaning} |").unwrap();
    };
    for code in Warning::ALL {
        row(
            code.name(),
            code.level().name(),
            code.stage().name(),
            code.meaning(),
        );
    }
    let page = format!("## Rejections\n\n{head}{rejections}\n## Warnings\n\n{head}{table}");
    page_has_table("codes.md", &page);
}

#[test]
fn formats_say_where_each_field_is() {
    page_has_table("formats.md", &pages::tables());
}

#[test]
fn the_elasticsearch_template_has_every_field() {
    let path = root().join("deploy/elasticsearch/component-template.json");
    is_up_to_date(&path, &pages::component_template());
}

/// The example: every key with its default, under its meaning.
fn example() -> String {
    let mut text = String::from(
        "# Every key of netsieve's configuration with its default. None need be given:\n\
         # `netsieve run --bootstrap HOST:PORT` is enough. See docs/configuration.md.\n",
    );
    let mut current = "";
    for key in KEYS {
        if let Some(name) = key.path.strip_prefix("outputs[].") {
            // The outputs' own keys are told together, and the two defaults follow.
            text.push_str(&comment(&format!("- `{name}`: {}", key.meaning)));
            continue;
        }
        if key.path == "dead_letters.topic" {
            text.push_str(&default_outputs());
        }
        let (section, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        text.push('\n');
        if section != current && !section.is_empty() {
            current = section;
            writeln!(text, "[{section}]").unwrap();
        }
        text.push_str(&comment(key.meaning));
        match (key.default, &key.form) {
            (_, Form::Tables) => text.push_str("# Keys of each:\n"),
            (Some(default), _) => writeln!(text, "{name} = {default}").unwrap(),
            (None, _) => writeln!(text, "# {name} = …").unwrap(),
        }
    }
    text
}

fn default_outputs() -> String {
    let config = load(&Sources::default()).unwrap();
    let mut text = String::new();
    for shown in config.shown {
        let Some((_, name)) = shown.path.split_once("].") else {
            continue;
        };
        if name == "name" {
            text.push_str("\n[[outputs]]\n");
        }
        writeln!(text, "{name} = {}", shown.value).unwrap();
    }
    text
}

/// The words in comment lines of at most 78 characters.
fn comment(words: &str) -> String {
    let mut text = String::new();
    let mut line = String::from("#");
    for word in words.split(' ') {
        if line.len() + 1 + word.len() > 78 {
            writeln!(text, "{line}").unwrap();
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    writeln!(text, "{line}").unwrap();
    text
}

#[test]
fn the_example_is_every_key_with_its_default() {
    let path = root().join("netsieve.example.toml");
    is_up_to_date(&path, &example());
    let of_file = load(&Sources {
        file: Some(path),
        ..Sources::default()
    });
    let by_default = load(&Sources::default());
    assert_eq!(of_file.unwrap().config, by_default.unwrap().config);
}

/// README, CONTRIBUTING and every page of `docs/`.
fn pages() -> Vec<PathBuf> {
    let docs = std::fs::read_dir(root().join("docs")).unwrap();
    let docs = docs.map(|entry| entry.unwrap().path());
    let docs = docs.filter(|path| path.extension().is_some_and(|of| of == "md"));
    let first = ["README.md", "CONTRIBUTING.md"].map(|name| root().join(name));
    first.into_iter().chain(docs).collect()
}

/// Where the links of a page lead, `](…)` and `]: …`, without what is in code blocks.
fn links(page: &str) -> Vec<&str> {
    let text = page.split("```").step_by(2);
    let ends = text.flat_map(|text| text.split("](").skip(1));
    let inline = ends.filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
    let lines = page.lines().filter(|line| line.starts_with('['));
    let apart = lines.filter_map(|line| line.split_once("]: ").map(|(_, target)| target));
    inline.chain(apart).collect()
}

/// A heading as a link names it: lower case, hyphens for blanks, nothing but letters, digits,
/// hyphens and underscores.
fn anchor(heading: &str) -> String {
    let lower = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = lower
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut dead = Vec::new();
    let mut followed = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            followed += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                page.clone()
            } else {
                page.parent().unwrap().join(file)
            };
            let leads = target.exists()
                && (heading.is_empty() || {
                    let text = std::fs::read_to_string(&target).unwrap_or_default();
                    let mut headings = text.lines().filter(|line| line.starts_with('#'));
                    headings.any(|line| anchor(line) == heading)
                });
            if !leads {
                dead.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(followed > 10, "{followed} links were found");
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
}

/// The blocks of a page in that language.
fn blocks<'p>(page: &'p str, language: &str) -> Vec<&'p str> {
    let opening = format!("\n```{language}\n");
    let after = page.split(opening.as_str()).skip(1);
    after
        .filter_map(|rest| rest.split("\n```").next())
        .collect()
}

/// The fragments for shippers are whole files of their form, and what they name of an event and of
/// the templates is there.
#[test]
fn fragments_for_shippers_name_what_is_there() {
    let page = std::fs::read_to_string(root().join("docs/formats.md")).unwrap();
    let fields = pages::ecs_fields();
    let is_field = |name: &str| assert!(fields.iter().any(|field| field == name), "{name}");
    let template = root().join("deploy/elasticsearch/index-template.json");
    let template = std::fs::read_to_string(template).unwrap();
    let template: serde_json::Value = serde_json::from_str(&template).unwrap();
    let dataset = &template["template"]["mappings"]["properties"]["data_stream"]["properties"];
    let dataset = dataset["dataset"]["value"].as_str().unwrap();

    let vector: Vec<toml::Table> = blocks(&page, "toml")
        .into_iter()
        .map(|text| toml::from_str(text).expect(text))
        .collect();
    let sink = &vector[0]["sinks"]["elasticsearch"];
    is_field(sink["id_key"].as_str().unwrap());
    assert_eq!(sink["data_stream"]["dataset"].as_str(), Some(dataset));
    let decoding = &vector[2]["sources"]["netsieve"]["decoding"]["protobuf"];
    assert_eq!(
        decoding["message_type"].as_str(),
        Some(Format::Protobuf.schema())
    );
    assert_eq!(vector.len(), 3);

    let connect: Vec<serde_json::Value> = blocks(&page, "json")
        .into_iter()
        .map(|text| serde_json::from_str(text).expect(text))
        .collect();
    let sink = &connect[0]["config"];
    is_field(sink["data.stream.timestamp.field"].as_str().unwrap());
    assert_eq!(sink["data.stream.dataset"], dataset);
    assert_eq!(connect.len(), 2);
    for fragment in &connect {
        let config = fragment["config"].as_object().unwrap();
        assert!(
            config.values().all(serde_json::Value::is_string),
            "{fragment}"
        );
        assert_eq!(
            config["consumer.override.isolation.level"],
            "read_committed"
        );
    }

    // Nothing here reads Logstash's form: its braces, and what it names.
    let logstash: Vec<_> = blocks(&page, "")
        .into_iter()
        .filter(|text| text.starts_with("input {"))
        .collect();
    assert_eq!(logstash.len(), 3);
    for text in &logstash {
        assert_eq!(
            text.matches('{').count(),
            text.matches('}').count(),
            "{text}"
        );
        assert!(
            text.contains("isolation_level => \"read_committed\""),
            "{text}"
        );
    }
    let id = logstash[0].split("document_id => \"%{[").nth(1).unwrap();
    is_field(&id.split("]}").next().unwrap().replace("][", "."));
    assert!(logstash[0].contains(&format!("index => \"logs-{dataset}-default\"")));
    let class = format!("class_name => \"{}\"", Format::Protobuf.schema());
    assert!(logstash[2].contains(&class));
}
