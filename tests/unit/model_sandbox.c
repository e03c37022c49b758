/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/sandbox.h"
#include "model_make.h"

#define MEMBERS_MAX 4

/* A sandbox on several networks, each written as NAME:FLAGS:PRIORITY. Flags: 4 and 6 are families,
 * i is internal, x is without gateways. Network n has 10.n.0.0/24 and fd00:n::/64. */
struct world {
    struct sandbox sandbox;
    struct network *networks[MEMBERS_MAX];
    struct endpoint endpoints[MEMBERS_MAX];
};

static struct network *make_member_network(const char *name, const char *flags, size_t n)
{
    bool v4 = strchr(flags, '4'), v6 = strchr(flags, '6'), gateway = !strchr(flags, 'x');
    char pool4[96] = "", pool6[96] = "", gateway4[48] = "", gateway6[48] = "";

    if (gateway)
        snprintf(gateway4, sizeof gateway4, ",'Gateway':'10.%zu.0.1'", n + 1);
    if (gateway)
        snprintf(gateway6, sizeof gateway6, ",'Gateway':'fd00:%zu::1'", n + 1);
    if (v4)
        snprintf(pool4, sizeof pool4, "{'Subnet':'10.%zu.0.0/24'%s}", n + 1, gateway4);
    if (v6)
        snprintf(pool6, sizeof pool6, "{'Subnet':'fd00:%zu::/64'%s}", n + 1, gateway6);
    _cleanup_free_ char *doc =
        str_printf("{'Name':'%s','EnableIPv4':%s,'EnableIPv6':%s,'Internal':%s,'IPAM':{'Config':"
                   "[%s%s%s]}}",
                   name, v4 ? "true" : "false", v6 ? "true" : "false",
                   strchr(flags, 'i') ? "true" : "false", pool4, v4 && v6 ? "," : "", pool6);
    return make_network(doc);
}

static void world_make(struct world *world, const char *members)
{
    char name[32], flags[8];
    int priority, used;

    memset(world, 0, sizeof *world);
    for (size_t n = 0; sscanf(members, " %31[^:]:%7[^:]:%d%n", name, flags, &priority, &used) == 3;
         n++, members += used) {
        struct endpoint *ep = &world->endpoints[n];

        world->networks[n] = ep->network = make_member_network(name, flags, n);
        ep->want.gw_priority = priority;
        if (strchr(flags, '4'))
            ep->ipv4 = addr_add(A("10.0.0.2"), (n + 1) << 16);
        if (strchr(flags, '6')) {
            ep->ipv6 = *A("fd00::2");
            ep->ipv6.bytes[3] = (uint8_t)(n + 1);
        }
        assert_int_equal(sandbox_add_endpoint(&world->sandbox, ep), 0);
    }
}

static void world_clear(struct world *world)
{
    for (size_t i = 0; i < MEMBERS_MAX; i++)
        network_free(world->networks[i]);
    free(world->sandbox.endpoints);
}

static const char *gateway_name(const struct world *world, int family)
{
    const struct endpoint *ep = sandbox_gateway_endpoint(&world->sandbox, family);

    return ep ? ep->network->name : "";
}

static void the_gateway_is_chosen(void **state)
{
    static const struct {
        const char *members, *ipv4, *ipv6;
    } cases[] = {
        {"", "", ""},
        {"web:4:0", "web", ""},
        {"web:46:0", "web", "web"},
        {"web:6:0", "", "web"},
        /* the first name in byte order, not the first that was joined */
        {"b:4:0 a:4:0", "a", ""},
        {"a:4:0 B:4:0", "B", ""},
        /* priority goes first, also a negative one */
        {"a:4:0 b:4:1", "b", ""},
        {"a:4:-1 b:4:0", "b", ""},
        {"a:46:0 b:4:1", "b", "a"},
        /* dual-stack goes before names, and behind priority */
        {"a:4:0 b:46:0", "b", "b"},
        {"a:4:0 b:6:0 c:46:0", "c", "c"},
        {"a:4:5 b:46:0", "a", "b"},
        /* internal networks lead nowhere, whatever their priority */
        {"a:46i:9 b:4:0", "b", ""},
        {"a:4i:0", "", ""},
        /* a network without a gateway does not count */
        {"a:4x:9 b:4:0", "b", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;

        world_make(&world, cases[i].members);
        assert_string_equal(gateway_name(&world, AF_INET), cases[i].ipv4);
        assert_string_equal(gateway_name(&world, AF_INET6), cases[i].ipv6);
        world_clear(&world);
    }
}

static void an_endpoint_without_an_address_is_no_gateway(void **state)
{
    struct world world;

    (void)state;
    world_make(&world, "a:46:0 b:46:0");
    world.endpoints[0].ipv4 = (struct addr){0};
    assert_string_equal(gateway_name(&world, AF_INET), "b");
    assert_string_equal(gateway_name(&world, AF_INET6), "a");
    world_clear(&world);
}

static void endpoints_keep_their_order(void **state)
{
    struct world world;
    struct network stranger = {0};

    (void)state;
    world_make(&world, "a:4:0 b:4:0 c:4:0");
    assert_ptr_equal(sandbox_endpoint_on(&world.sandbox, world.networks[1]), &world.endpoints[1]);
    assert_null(sandbox_endpoint_on(&world.sandbox, &stranger));
    sandbox_remove_endpoint(&world.sandbox, &world.endpoints[0]);
    sandbox_remove_endpoint(&world.sandbox, &world.endpoints[0]);
    assert_int_equal(world.sandbox.endpoint_count, 2);
    assert_ptr_equal(world.sandbox.endpoints[0], &world.endpoints[1]);
    assert_ptr_equal(world.sandbox.endpoints[1], &world.endpoints[2]);
    world_clear(&world);
}

static void the_lowest_interface_name_is_free(void **state)
{
    struct world world;
    char name[IFNAMSIZ];

    (void)state;
    world_make(&world, "a:4:0 b:4:0 c:4:0");
    sandbox_free_ifname(&world.sandbox, "eth", name);
    assert_string_equal(name, "eth0");
    strcpy(world.endpoints[0].ifname, "eth0");
    strcpy(world.endpoints[1].ifname, "eth2");
    sandbox_free_ifname(&world.sandbox, "eth", name);
    assert_string_equal(name, "eth1");
    strcpy(world.endpoints[2].ifname, "eth1");
    sandbox_free_ifname(&world.sandbox, "eth", name);
    assert_string_equal(name, "eth3");
    sandbox_free_ifname(&world.sandbox, "twelve-chars", name);
    assert_string_equal(name, "twelve-chars0");
    world_clear(&world);
}

static void a_stored_sandbox_comes_back(void **state)
{
    static const char *const docs[] = {
        "{'Id':'" TEST_ID "','Name':'web','Kind':'container','Active':true,'Origin':null,'Pid':0,"
        "'PidStart':0}",
        "{'Id':'" TEST_ID "','Name':'ns','Kind':'foreign','Active':false,'Origin':'/run/netns/x',"
        "'Pid':123,'PidStart':456789012345}",
        "{'Id':'" TEST_ID "','Name':'h','Kind':'host','Active':true,'Origin':null,'Pid':0,"
        "'PidStart':0}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(docs); i++) {
        _cleanup_json_ json_t *doc = make_json(docs[i]);
        _cleanup_sandbox_ struct sandbox *sb = NULL;

        assert_int_equal(sandbox_from_json(doc, &sb, NULL), 0);
        _cleanup_json_ json_t *again = sandbox_to_json(sb);
        assert_true(json_equal(doc, again));
        assert_null(sb->netns);
        assert_int_equal(sb->endpoint_count, 0);
    }
}

static void bad_stored_sandboxes_are_refused(void **state)
{
    static const struct {
        const char *doc, *text;
    } cases[] = {
        {"[]", "a sandbox must be a JSON object"},
        {"{'Name':'web'}", "Id \"\" of a sandbox is not an id"},
        {"{'Id':'" TEST_ID "'}", "sandbox 0123456789ab has no name"},
        {"{'Id':'" TEST_ID "','Name':'web','Kind':'vm'}", "kind \"vm\" of sandbox web is unknown"},
        {"{'Id':'" TEST_ID "','Name':'web'}", "kind \"\" of sandbox web is unknown"},
        {"{'Id':'" TEST_ID "','Name':'web','Kind':'host','Pid':-4}",
         "Pid of sandbox web is not a process id"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_json_ json_t *doc = make_json(cases[i].doc);
        struct sandbox *sb = NULL;
        struct weft_error err = {0};

        assert_true(sandbox_from_json(doc, &sb, &err) < 0);
        assert_string_equal(err.text, cases[i].text);
        assert_null(sb);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_gateway_is_chosen),
        cmocka_unit_test(an_endpoint_without_an_address_is_no_gateway),
        cmocka_unit_test(endpoints_keep_their_order),
        cmocka_unit_test(the_lowest_interface_name_is_free),
        cmocka_unit_test(a_stored_sandbox_comes_back),
        cmocka_unit_test(bad_stored_sandboxes_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
