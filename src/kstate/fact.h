/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Facts: what is to be true of the kernel, or what was seen to be.
 *
 * A fact is a value without hidden state: a kind, a network namespace, a *key* (which thing: the
 * link's name, the address on the link, the route's destination …) and *attributes* (how it is).
 * Two facts with equal keys speak of the same thing; if their attributes differ, one of them must
 * be changed into the other.
 *
 * Kinds are listed in the order in which facts come true: the ruleset before anything that it
 * polices, a link before its sysctls and its address, the address before the route through it.
 */

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"

/*
 * A network namespace other than the host's. Facts point to it; whoever renders keeps it alive.
 * Namespaces are compared by id.
 */
struct kstate_ns {
    const char *id;   /* unique */
    const char *name; /* what explained scripts call it */
    const char *path; /* where it is mounted, or will be */
    /* NULL: made new. Else the path of somebody else's namespace, which is pinned at path. */
    const char *origin;
};

enum fact_kind {
    FACT_NETNS,      /* the namespace is mounted at its path. Key: ns */
    FACT_RESOLVER,   /* the namespace leads queries to weft's socket. Key: ns. See below */
    FACT_NFT_BASE,   /* table inet weft holds the base ruleset. Key: none */
    FACT_LINK,       /* key: ns, name */
    FACT_SHAPE,      /* what leaves by a link is slowed down. Key: ns, link */
    FACT_REDIRECT,   /* what comes in by a link leaves by another first. Key: ns, link */
    FACT_SYSCTL,     /* key: ns, path */
    FACT_ADDR,       /* key: ns, link, address and length */
    FACT_ROUTE,      /* key: ns, destination, metric */
    FACT_NFT_ELEM,   /* key: table, set, key fields */
    FACT_NFT_ACCEPT, /* key: chain, direction */
    FACT_KIND_COUNT
};

enum link_kind {
    LINK_BRIDGE,
    LINK_VETH,      /* the end from which the pair is made; the other end is born in peer_ns */
    LINK_VETH_PEER, /* the other end: it comes and goes with the LINK_VETH that names it */
    LINK_LOOPBACK,  /* is always there; only `up` is weft's */
    LINK_VLAN,      /* 802.1q, of the host: on `parent`, with the id `vlan` */
    LINK_IFB,       /* of the host: has always a carrier; what is redirected to it leaves through
                       its queue. The parent of networks without one, too */
    LINK_MACVLAN,   /* on `parent`, a link of the host; in any namespace */
    LINK_IPVLAN,    /* likewise */
    LINK_BORROWED, /* somebody else's, of any kind, that is there: weft sets what the fact says, and
                      when the fact goes takes back its master; up stays. A desired fact only */
    LINK_MOVED,    /* somebody else's of the host, called `parent` there: moved into the fact's
                      namespace and renamed; when the fact goes it is given back under its old
                      name, also when the namespace goes. In the kernel its alias says so
                      (FACT_MOVED_ALIAS) */
    LINK_OTHER,    /* observed only */
};

/* How the links on one parent see each other. */
enum link_mode {
    LINK_MODE_NONE,     /* not such a link */
    LINK_MODE_BRIDGE,   /* macvlan: directly */
    LINK_MODE_PRIVATE,  /* not at all */
    LINK_MODE_VEPA,     /* through the switch outside */
    LINK_MODE_PASSTHRU, /* it is the only one */
    LINK_MODE_L2,       /* ipvlan: like hosts of one network */
    LINK_MODE_L3,       /* the parent routes between them */
    LINK_MODE_L3S,      /* and the host's filters see it */
};

/* The mode as ip-link(8) writes it. */
const char *link_mode_name(enum link_mode mode);

/* Links that weft makes carry this group (IFLA_GROUP, "weft" in ASCII): how ownership is told in
 * the kernel. */
#define FACT_LINK_GROUP 0x77656674u
/* Routes that weft adds carry this protocol number (rtm_protocol, 'w'). */
#define FACT_ROUTE_PROTOCOL 119

/* The alias (IFLA_IFALIAS) of a LINK_MOVED: this, and its name in the host. Whatever alias it had
 * is lost. */
#define FACT_MOVED_ALIAS "weft:"
/* A link that cannot be made in its namespace is made under another name, in case the host has one
 * of its name: this, and as much of its name as there is room for. */
#define FACT_UNBORN_PREFIX "weft-"
void link_unborn_name(const char *name, char ret[static IFNAMSIZ]);

/* VLAN ids (IEEE 802.1Q). A bridge puts its ports in VLAN 1 unless it is told otherwise. */
#define LINK_VLAN_DEFAULT 1
#define LINK_TRUNK_FIRST 2
#define LINK_VLAN_MAX 4094

struct fact_link {
    char name[IFNAMSIZ];
    enum link_kind kind;
    bool up;
    bool no_autoconf;      /* no link-local IPv6 address by itself: addrgenmode none */
    char master[IFNAMSIZ]; /* the bridge it is a port of, or "" */
    bool isolated;         /* as a port, exchanges frames with the bridge alone, not with other
                              isolated ports (IFLA_BRPORT_ISOLATED) */
    struct mac mac;        /* zero: whatever the kernel chose */
    uint32_t mtu;          /* bytes; 0: whatever it is */
    char parent[IFNAMSIZ]; /* LINK_VLAN, LINK_MACVLAN, LINK_IPVLAN: the host's link that it lies on.
                              LINK_MOVED: its name in the host. Observed: "" if it was not found */
    enum link_mode mode;   /* LINK_MACVLAN, LINK_IPVLAN: fixed from birth */
    enum link_mode port_mode; /* LINK_IPVLAN: its flag, LINK_MODE_BRIDGE, _PRIVATE or _VEPA */
    uint16_t vlan;            /* LINK_VLAN: its id. Port of a bridge that is aware of VLANs: the one
                                 that it is in, untagged; 0: the bridge's own choice */
    bool trunk;               /* Port of such a bridge: carries all VLANs from LINK_TRUNK_FIRST to
                                 LINK_VLAN_MAX tagged, but for the one that it is in */
    bool hairpin;             /* as a port: gets back what it sent itself */
    bool stp;                 /* LINK_BRIDGE: speaks the spanning tree protocol */
    bool vlan_aware;          /* LINK_BRIDGE: vlan_filtering */
    /* LINK_VETH and LINK_VETH_PEER: the other end. Observed facts name it where they know it;
     * "" means that it was not found in any namespace that was looked at. */
    const struct kstate_ns *peer_ns;
    char peer_name[IFNAMSIZ];
    struct mac peer_mac; /* LINK_VETH only: what the other end is born with */
};

/* What has to be done about a port's VLANs, in this order. */
struct link_vlan_change {
    uint16_t leave;     /* it leaves the VLANs from this one to LINK_VLAN_MAX; 0: none */
    bool becomes_trunk; /* it joins those of a trunk */
    uint16_t join;      /* it joins this one untagged; 0: none */
};
/* From a port that is as `from` says to one as `to` says; nothing for links that are no port. */
struct link_vlan_change link_vlan_change(const struct fact_link *to, const struct fact_link *from);

/* FACT_SHAPE: a token bucket (tc-tbf(8)) at the link's root. Owned when its link is weft's. */
struct fact_shape {
    char link[IFNAMSIZ];
    uint64_t rate;  /* bits per second, more than 0 */
    uint32_t burst; /* bytes, more than 0 */
};
/* A packet waits at most so long for its turn; more of them are dropped. */
#define FACT_SHAPE_LATENCY_MS 50

/* FACT_REDIRECT: an ingress qdisc on `link` whose only filter (u32, all packets) hands each packet
 * to `to`, which lets it go on as if it had just come in by `link` once it has left its queue.
 * Owned when its link is weft's. */
struct fact_redirect {
    char link[IFNAMSIZ];
    char to[IFNAMSIZ]; /* a LINK_IFB of the same namespace */
};

struct fact_addr {
    char link[IFNAMSIZ];
    struct prefix prefix; /* address with the prefix length of its network */
};

struct fact_route {
    struct prefix destination; /* 0.0.0.0/0 or ::/0 for the default route */
    struct addr via;           /* none: on the link itself */
    char link[IFNAMSIZ];
    uint32_t metric; /* 0: the kernel's default, which for IPv6 is the same as 1024 */
};

struct fact_sysctl {
    char path[64]; /* below /proc/sys, with slashes: net/ipv4/ip_forward */
    char value[24];
    char idle[8]; /* what it is set to when nobody wants the value any more; "": it stays. Of
                     desired facts only */
};

/*
 * FACT_RESOLVER: what a namespace's own programs send to FACT_RESOLVER_ADDR port 53, by UDP and
 * TCP, goes to FACT_RESOLVER_PORT there, and the answers seem to come from port 53: a table "ip
 * weft" in the namespace with one chain at the output hook, which writes the ports into the
 * packets. Without it weft's socket would have to have port 53, and a server of the container's own
 * on all addresses could not. The port is one of those that IANA keeps back (1011).
 */
#define FACT_RESOLVER_ADDR "127.0.0.11"
#define FACT_RESOLVER_PORT 1011

/* One field of an nftables key or datum. Elements come by the thousand: the type is a byte. */
enum __attribute__((packed)) nft_field_type {
    NFT_FIELD_NONE,
    NFT_FIELD_IFNAME,
    NFT_FIELD_ADDR,
    NFT_FIELD_PORT,
    NFT_FIELD_PROTO,
    NFT_FIELD_FAMILY, /* AF_INET, AF_INET6: the numbers of NFPROTO_… too */
    NFT_FIELD_MAC
};
struct nft_field {
    enum nft_field_type type;
    union {
        char ifname[IFNAMSIZ];
        struct addr addr;
        struct mac mac;
        uint16_t number; /* port (host order), protocol or family */
    };
};
#define FACT_NFT_FIELDS 4

enum nft_table { NFT_TABLE_INET, NFT_TABLE_BRIDGE };

/* An element of a set or map of weft's tables. */
struct fact_nft_elem {
    enum nft_table table;
    char set[24];
    struct nft_field key[FACT_NFT_FIELDS];
    struct nft_field data[FACT_NFT_FIELDS]; /* all NFT_FIELD_NONE: a set */
};

/* The base ruleset: constant text. Its version is kept in the kernel as the table's comment
 * ("weft VERSION"), so that a changed ruleset is noticed and replaced. */
struct fact_nft_base {
    const char *text; /* static: all of weft's tables as nft reads them; observed: NULL */
    char version[24]; /* a digest of the text */
    /* Observed: of this version, but the rules are not those that were loaded. They are put right
     * in place; the elements stay. Desired: false. */
    bool tampered;
};

/* A base chain of somebody else. */
struct nft_chain {
    uint8_t family; /* NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6 */
    char table[64];
    char name[64];
    bool ends_in_drop; /* not by its policy, but by its last rule */
};

/* Somebody else's forward chain lets pass what comes from (or goes to) links of weft's group: a
 * rule in that chain with the comment "weft". It stands first where the chain ends in a rule that
 * drops, last where its policy does. In iptables' own tables it is written as iptables itself
 * would. */
struct fact_nft_accept {
    struct nft_chain chain;
    bool outgoing; /* to weft's links, else from them */
};
#define FACT_NFT_ACCEPT_COMMENT "weft"
/* Is it a chain of iptables-nft? It refuses tables that hold rules which it cannot write itself. */
bool nft_chain_is_iptables(const struct nft_chain *chain);

struct fact {
    enum fact_kind kind;
    bool owned;                 /* observed facts: weft's mark was on it */
    const struct kstate_ns *ns; /* NULL: the host */
    union {
        struct fact_link link;
        struct fact_shape shape;
        struct fact_redirect redirect;
        struct fact_addr addr;
        struct fact_route route;
        struct fact_sysctl sysctl;
        struct fact_nft_elem elem;
        struct fact_nft_base base;
        struct fact_nft_accept accept;
    };
};

/* <0, 0, >0: the host first, then by id. */
int kstate_ns_compare(const struct kstate_ns *a, const struct kstate_ns *b);
/* Same namespace? */
bool kstate_ns_equal(const struct kstate_ns *a, const struct kstate_ns *b);

/* <0, 0, >0 by kind, namespace (the host first), key. */
int fact_compare_key(const struct fact *a, const struct fact *b);
/* Whether what is seen, a fact with an equal key, satisfies what is desired: attributes that
 * desired leaves open (0, "", false) match anything. The two must be of the same link kind. */
bool fact_satisfies(const struct fact *seen, const struct fact *desired);

/* A set of facts, unordered while it is filled. Zero-initialise. Facts are copied in. */
struct fact_set {
    struct fact *facts;
    size_t count;
    size_t capacity;
};
/* 0 or -ENOMEM. */
int fact_set_add(struct fact_set *set, const struct fact *fact);
/* Sorts by key and drops facts that are there twice: several networks may need one sysctl. */
void fact_set_sort(struct fact_set *set);
/* The fact with the key of `key`, or NULL. The set must be sorted. */
const struct fact *fact_set_find(const struct fact_set *set, const struct fact *key);
void fact_set_clear(struct fact_set *set);
#define _cleanup_fact_set_ _cleanup_(fact_set_clear)

/* One line of text a fact, sorted: what golden tests compare. Sorts the set, appends to out. */
struct strbuf;
void fact_set_print(struct fact_set *set, struct strbuf *out);
/* The line of one fact, without newline. */
void fact_print(const struct fact *fact, struct strbuf *out);
