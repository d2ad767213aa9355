//! The files of `reference.vendors`, CSV as IEEE publishes them (MA-L, MA-M and MA-S).

use std::path::Path;

use super::error::{Problem, ReferenceError, quoted};
use super::rows::{self, required};
use crate::pipeline::enrich::vendors::{Block, Builder};

/// The name of blocks that IEEE hands out in parts: it made nothing.
const IN_PARTS: &str = "IEEE Registration Authority";

/// Adds the blocks of a file; how many there are that were not there before.
pub(super) fn read(
    path: &Path,
    bytes: &[u8],
    builder: &mut Builder,
) -> Result<usize, ReferenceError> {
    let columns = [
        required("registry"),
        required("assignment"),
        required("organization name"),
    ];
    let mut blocks = 0;
    rows::read(path, bytes, columns, |_, [registry, assignment, name]| {
        let digits = match registry {
            "MA-L" => 6,
            "MA-M" => 7,
            "MA-S" => 9,
            _ => {
                let what = format!("no registry {} of vendors", quoted(registry));
                return Err(Problem::new(what, "give the files of MA-L, MA-M and MA-S"));
            }
        };
        let block = Block::parse(assignment).filter(|_| assignment.len() == digits);
        let block = block.ok_or_else(|| {
            let what = format!("{} is no block of {registry}", quoted(assignment));
            Problem::new(what, "take the file as IEEE publishes it")
        })?;
        if !name.is_empty() && name != IN_PARTS && builder.add(block, name) {
            blocks += 1;
        }
        Ok(())
    })?;
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Registry,Assignment,Organization Name,Organization Address\r\n";

    fn blocks(rows: &str, builder: &mut Builder) -> Result<usize, String> {
        let text = format!("{HEAD}{rows}");
        let read = read(Path::new("v.csv"), text.as_bytes(), builder);
        read.map_err(|error| error.to_string())
    }

    #[test]
    fn files_as_ieee_writes_them() {
        let mut builder = Builder::default();
        let large = "MA-L,08A000,First Maker GmbH,\"Am Markt 1, Berlin  DE 10115 \"\r\n\
                     MA-L,08A000,Second Maker,Elsewhere\r\n\
                     MA-L,08B000,IEEE Registration Authority,445 Hoes Lane Piscataway NJ US 08554 \r\n\
                     MA-L,08C000,Private,\r\n";
        assert_eq!(blocks(large, &mut builder), Ok(2));
        assert_eq!(blocks("MA-M,08B0001,Medium,\r\n", &mut builder), Ok(1));
        let small = "MA-S,08B000234,\"Small, Ltd. \"\"S\"\"\",\r\n";
        assert_eq!(blocks(small, &mut builder), Ok(1));
        let vendors = builder.finish();
        for (mac, vendor) in [
            ([0x08, 0xA0, 0x00, 0, 0, 1], Some("First Maker GmbH")),
            ([0x08, 0xB0, 0x00, 0x1F, 0, 1], Some("Medium")),
            ([0x08, 0xB0, 0x00, 0x23, 0x4F, 1], Some("Small, Ltd. \"S\"")),
            ([0x08, 0xB0, 0x00, 0x33, 0, 1], None),
            ([0x08, 0xC0, 0x00, 0, 0, 1], Some("Private")),
        ] {
            assert_eq!(vendors.get(mac), vendor, "{mac:X?}");
        }
    }

    #[test]
    fn what_is_not_of_the_three_registries() {
        for (row, error) in [
            (
                "CID,08A000,Somebody,\r\n",
                "no registry \"CID\" of vendors, v.csv:2: give the files of MA-L, MA-M and MA-S",
            ),
            (
                "MA-M,08A000,Somebody,\r\n",
                "\"08A000\" is no block of MA-M, v.csv:2: take the file as IEEE publishes it",
            ),
            (
                "MA-L,08-A0-00,Somebody,\r\n",
                "\"08-A0-00\" is no block of MA-L, v.csv:2: take the file as IEEE publishes it",
            ),
        ] {
            assert_eq!(blocks(row, &mut Builder::default()), Err(error.to_owned()));
        }
    }
}
