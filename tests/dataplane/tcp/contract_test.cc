// The seam's contract over the TCP endpoint, plain and behind a filter.
#include "tests/dataplane/shard/seam_contract.h"
#include "tests/dataplane/tcp/tcp_rig.h"

namespace postern::shard {

INSTANTIATE_TYPED_TEST_SUITE_P(tcp, seam_contract, tcp::testing::tcp_rig<unfiltered>);
INSTANTIATE_TYPED_TEST_SUITE_P(tcp_filtered, seam_contract, tcp::testing::tcp_rig<filtered>);

}  // namespace postern::shard
