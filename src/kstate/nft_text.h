/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* nftables as nft(8) spells it: elements of sets, and the text of the base ruleset. */

#include "base/strbuf.h"
#include "kstate/fact.h"

/* `"weft0" . "weft0"`, of a map `tcp . 80 : 172.17.0.2 . 80`. */
void nft_elem_print(const struct fact_nft_elem *elem, struct strbuf *out);
/* "inet", "bridge". */
const char *nft_table_family(enum nft_table table);

/* A chain, set or map that a ruleset declares. */
struct nft_declaration {
    char family[8], table[16];
    char kind[6]; /* "chain", "set", "map" */
    char name[32];
};
/* The next one from *text on, which is moved past its first line; false when there are no more. The
 * ruleset is laid out as base.nft is: a line for each opening brace. Zero-initialise d. */
bool nft_next_declaration(const char **text, struct nft_declaration *d);

/* Is it one of the chains that weft makes and then leaves to the administrator? */
bool nft_chain_is_administrators(const char *name);

/* Commands that put the rules and chains of a ruleset right in one transaction; its sets and their
 * elements stay, and so do the administrator's chains. */
void nft_print_reload(const char *text, struct strbuf *out);
