// The SQL of the migrations, by their subject. Private to this folder: schema.cc puts them in their order.
#pragma once

namespace postern::directory {

// schema_model.cc
extern const char* const model_schema;        ///< 1: organisations, domains, routes, addresses, tokens, history
extern const char* const publication_schema;  ///< 2: generations of the table, and who has which

// schema_lists.cc
extern const char* const search_schema;  ///< 3: by any part of an address or a name
extern const char* const counts_schema;  ///< 4: addresses of each sort
extern const char* const lists_schema;   ///< 6: what lists, filters and pages are answered from

// schema_sources.cc
extern const char* const syncs_schema;             ///< 5: directory sources and their syncs
extern const char* const names_of_sources_schema;  ///< 8: unique within their organisation
extern const char* const pushes_schema;            ///< 9: pushed lists

extern const char* const tenants_schema;    ///< 7: who may do what, and whose a domain is
extern const char* const discovery_schema;  ///< 10: candidates with their evidence, whom the mail server refuses
extern const char* const mailroute_schema;  ///< 11: what clients of the MailRoute-compatible API keep here

}  // namespace postern::directory
