// Migration 10: the tables of control/discovery. Private to this folder.
#pragma once

namespace postern::directory {

/// What discovery is told of a domain and how it stands, the candidates with their evidence, whom the mail server
/// refuses though listed, and how far each edge's events are taken.
extern const char* const discovery_schema;

}  // namespace postern::directory
