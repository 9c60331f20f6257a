#include "tests/control/publish/publish_test_base.h"
#include "control/directory/changes.h"

namespace postern::publish {

std::uint64_t publish_test::last_seq() {
    return need(directory::last_change(need(_store->read())));
}

}  // namespace postern::publish
