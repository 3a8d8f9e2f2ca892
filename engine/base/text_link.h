// Symbolic links that were checked out as text. Git without core.symlinks and some copies through zip archives write a
// link as a small file whose whole text is the link's target. Pure reading; any thread.
#pragma once

#include <string>

namespace seraph {

/// Where the file at `path` really is: when it is at most 1 KiB and its whole text is the relative path (from its own
/// folder) of an existing file, that file. Anything else, also what cannot be read, is `path` itself. Followed once.
std::string follow_text_link(const std::string& path);

}  // namespace seraph
