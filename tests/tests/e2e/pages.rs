//! Pages of documentation, whose blocks are run as they stand there.

use std::path::Path;

/// A block between fences.
#[derive(Debug)]
pub(crate) struct Block {
    /// The title of the part that it stands in.
    pub(crate) heading: String,
    /// What follows the opening fence.
    pub(crate) language: String,
    pub(crate) lines: Vec<String>,
}

impl Block {
    pub(crate) fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// Whether its heading or its first line has a word.
    pub(crate) fn is_about(&self, word: &str) -> bool {
        let first = self.lines.first();
        self.heading.contains(word) || first.is_some_and(|line| line.contains(word))
    }
}

/// A page, named by its path in the workspace.
pub(crate) fn text_of(page: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page);
    std::fs::read_to_string(path).expect("the page is there")
}

/// The blocks of a page, named by its path in the workspace, in their order.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let text = text_of(page);
    let mut blocks = Vec::new();
    let mut heading = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let block = lines.by_ref().take_while(|line| *line != "```");
            blocks.push(Block {
                heading: heading.clone(),
                language: language.to_owned(),
                lines: block.map(str::to_owned).collect(),
            });
        } else if line.starts_with('#') {
            heading = line.trim_start_matches('#').trim().to_owned();
        }
    }
    blocks
}

/// The blocks of a page in one language.
pub(crate) fn blocks_in(page: &str, language: &str) -> Vec<Block> {
    let mut blocks = blocks(page);
    blocks.retain(|block| block.language == language);
    blocks
}
