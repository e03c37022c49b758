/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Frames of a DHCP server, made by hand: nothing here shares code with what reads them. */

#include <stdint.h>
#include <string.h>

#include "dhcp/codec.h"

#define MADE_XID 0x12345678
#define MADE_SERVER 192, 0, 2, 1
#define BOOTP 42 /* where it begins in a frame without IP options */
#define OPTIONS (BOOTP + 240)

struct made {
    uint8_t frame[2048];
    size_t length; /* while options are being added: where the next goes */
};

static const struct mac made_mac = {{2, 1, 2, 3, 4, 5}};

static inline void made_option(struct made *m, uint8_t code, const void *data, size_t length)
{
    m->frame[m->length++] = code;
    m->frame[m->length++] = (uint8_t)length;
    memcpy(m->frame + m->length, data, length);
    m->length += length;
}
#define MADE_OPTION(m, code, ...)                                                                  \
    made_option((m), (code), (const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]){__VA_ARGS__})

static inline uint32_t made_sum(const uint8_t *data, size_t length, uint32_t sum)
{
    for (size_t i = 0; i < length; i++)
        sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* The fixed part of an answer that gives 192.0.2.50. */
static inline void made_begin(struct made *m, uint8_t type)
{
    static const uint8_t ethernet[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 8, 0};
    static const uint8_t bootp[] = {2,    1, 6, 0, 0x12, 0x34, 0x56, 0x78, 0, 0,
                                    0x80, 0, 0, 0, 0,    0,    192,  0,    2, 50};
    static const uint8_t cookie[] = {99, 130, 83, 99};

    memset(m, 0, sizeof *m);
    memcpy(m->frame, ethernet, sizeof ethernet);
    memcpy(m->frame + BOOTP, bootp, sizeof bootp);
    memcpy(m->frame + BOOTP + 28, made_mac.bytes, 6);
    memcpy(m->frame + BOOTP + 236, cookie, 4);
    m->length = OPTIONS;
    MADE_OPTION(m, 53, type);
}

/* Lengths and checksums. */
static inline void made_sums(struct made *m)
{
    uint8_t *ip = m->frame + 14, *udp = ip + 20;
    uint16_t total = (uint16_t)(m->length - 14), length = (uint16_t)(m->length - 34);
    const uint8_t head[] = {0x45,
                            0,
                            (uint8_t)(total >> 8),
                            (uint8_t)total,
                            0,
                            0,
                            0,
                            0,
                            64,
                            17,
                            0,
                            0,
                            MADE_SERVER,
                            255,
                            255,
                            255,
                            255};
    const uint8_t ports[] = {0, 67, 0, 68, (uint8_t)(length >> 8), (uint8_t)length, 0, 0};
    uint32_t sum;

    memcpy(ip, head, sizeof head);
    memcpy(udp, ports, sizeof ports);
    sum = made_sum(ip, 20, 0) ^ 0xffff;
    ip[10] = (uint8_t)(sum >> 8);
    ip[11] = (uint8_t)sum;
    sum = made_sum(udp, length, made_sum(ip + 12, 8, 17U + length)) ^ 0xffff;
    udp[6] = (uint8_t)(sum >> 8);
    udp[7] = (uint8_t)sum;
}

static inline void made_end(struct made *m)
{
    m->frame[m->length++] = 255;
    made_sums(m);
}

/* A whole one: /24, an hour, a router. */
static inline void made_answer(struct made *m, uint8_t type)
{
    made_begin(m, type);
    MADE_OPTION(m, 54, MADE_SERVER);
    MADE_OPTION(m, 51, 0, 0, 14, 16);
    MADE_OPTION(m, 1, 255, 255, 255, 0);
    MADE_OPTION(m, 3, 192, 0, 2, 254, 192, 0, 2, 253);
}
