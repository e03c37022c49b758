/* SPDX-License-Identifier: Apache-2.0 */
#include "dhcp/codec.h"
