/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a C library's resolver says, whichever it is linked with: of each argument that is an
 * address its name, of any other its addresses. A line each; "-" where there is nothing.
 */

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void print_name(const struct addrinfo *ai)
{
    char name[NI_MAXHOST];
    int r = getnameinfo(ai->ai_addr, ai->ai_addrlen, name, sizeof name, NULL, 0, NI_NAMEREQD);

    (void)puts(r == 0 ? name : "-");
}

static void print_addresses(const struct addrinfo *first)
{
    char text[NI_MAXHOST];

    for (const struct addrinfo *ai = first; ai; ai = ai->ai_next)
        if (getnameinfo(ai->ai_addr, ai->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) ==
            0)
            (void)printf("%s%s", ai == first ? "" : " ", text);
    (void)puts("");
}

static void resolve(const char *text)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *found = NULL;

    if (getaddrinfo(text, NULL, &hints, &found) == 0) {
        print_name(found);
        freeaddrinfo(found);
        return;
    }
    hints.ai_flags = 0;
    if (getaddrinfo(text, NULL, &hints, &found) == 0) {
        print_addresses(found);
        freeaddrinfo(found);
        return;
    }
    (void)puts("-");
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        resolve(argv[i]);
    return 0;
}
