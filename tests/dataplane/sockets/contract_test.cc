// The seam's contract over kernel sockets, plain and behind a filter.
#include "tests/dataplane/shard/seam_contract.h"
#include "tests/dataplane/sockets/socket_rig.h"

namespace postern::shard {

INSTANTIATE_TYPED_TEST_SUITE_P(sockets, seam_contract, sockets::socket_rig<unfiltered>);
INSTANTIATE_TYPED_TEST_SUITE_P(sockets_filtered, seam_contract, sockets::socket_rig<filtered>);

}  // namespace postern::shard
