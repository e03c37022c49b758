/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Elements of nftables sets as nft(8) spells them. */

#include "base/strbuf.h"
#include "kstate/fact.h"

/* `"weft0" . "weft0"`, of a map `tcp . 80 : 172.17.0.2 . 80`. */
void nft_elem_print(const struct fact_nft_elem *elem, struct strbuf *out);
