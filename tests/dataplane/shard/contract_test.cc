// The seam's contract over the transport in memory, plain and behind a filter.
#include "tests/dataplane/shard/seam_contract.h"

namespace postern::shard {

INSTANTIATE_TYPED_TEST_SUITE_P(fake, seam_contract, fake_rig<unfiltered>);
INSTANTIATE_TYPED_TEST_SUITE_P(fake_filtered, seam_contract, fake_rig<filtered>);

}  // namespace postern::shard
