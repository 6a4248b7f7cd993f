//! Reads what one other node publishes: the chunks of its list, then its opinions.

use std::sync::Arc;

use crate::health::Identity;

use super::check_list::{CheckList, ListHash, MAX_CHECKS};
use super::node_opinions::NodeOpinions;
use super::wire::{ListChunk, WireError, decode_list_chunk, decode_opinions};

/// The values of one other node.
#[derive(Debug, Default)]
pub struct NodeReader {
    /// The last complete list.
    list: Option<Arc<CheckList>>,
    /// The list that is arriving.
    arriving: Option<Arriving>,
}

#[derive(Debug)]
struct Arriving {
    hash: ListHash,
    chunks: Vec<Option<Vec<Arc<Identity>>>>,
}

impl NodeReader {
    /// Takes one chunk of the node's list.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn read_list_chunk(&mut self, value: &[u8]) -> Result<(), WireError> {
        let ListChunk { hash, chunk, chunks, checks } = decode_list_chunk(value)?;
        let (chunk, chunks) = (chunk as usize, chunks as usize);
        if self.arriving.as_ref().is_none_or(|known| known.hash != hash || known.chunks.len() != chunks) {
            self.arriving = Some(Arriving { hash, chunks: vec![None; chunks] });
        }
        let Some(arriving) = &mut self.arriving else { return Ok(()) };
        arriving.chunks[chunk] = Some(checks);
        let is_too_long = arriving.chunks.iter().flatten().map(Vec::len).sum::<usize>() > MAX_CHECKS;
        if is_too_long {
            self.arriving = None;
            return Err(WireError::Inconsistent("its list has too many checks"));
        }
        if arriving.chunks.iter().all(Option::is_some) {
            self.finish_list()?;
        }
        Ok(())
    }

    fn finish_list(&mut self) -> Result<(), WireError> {
        let Some(Arriving { hash, chunks }) = self.arriving.take() else { return Ok(()) };
        let list = CheckList::new(chunks.into_iter().flatten().flatten());
        if list.hash() != hash {
            return Err(WireError::Inconsistent("the checks of its list do not have the hash that it states"));
        }
        self.list = Some(Arc::new(list));
        Ok(())
    }

    /// Reads the node's opinions. `own` is the list of this node: nodes with the same configuration
    /// share it.
    ///
    /// # Errors
    /// They cannot be used, or their list is not complete yet.
    pub fn read_opinions(&self, value: &[u8], own: &Arc<CheckList>) -> Result<NodeOpinions, WireError> {
        let lists = [Some(own), self.list.as_ref()];
        decode_opinions(value, |hash| lists.into_iter().flatten().find(|list| list.hash() == hash).cloned())
    }
}
