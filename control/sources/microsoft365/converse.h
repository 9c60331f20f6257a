// A conversation let have its way over HTTPS. Not part of the folder's public face.
#pragma once

#include "control/sources/https/client.h"
#include "control/sources/microsoft365/conversation.h"
#include "control/sources/microsoft365/settings.h"

namespace postern::sources::microsoft365 {

https::client_settings client_settings_of(const tenant_settings& settings);

/// Lets a conversation have its way until it is over.
void converse(conversation& with, https::client& over);

}  // namespace postern::sources::microsoft365
