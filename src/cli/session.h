/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A process at the other end of a hijacked connection: its output comes here, our input and our
 * signals go there, until it ends. */

#include <signal.h>
#include <stdbool.h>
#include <termios.h>

#include "base/error.h"

struct session {
    int fd;           /* the connection */
    bool multiplexed; /* output comes in stream.h's frames, not as it is */
    int input;        /* what is read and sent, -1: nothing */
    int signals;      /* a signalfd, -1: none */
    /* Called for each signal; other than 0 ends the session and is its result. */
    int (*on_signal)(void *arg, int signal, struct weft_error *err);
    void *arg;
};

/* Copies until the connection ends. 0, -errno, or what on_signal returned. */
int session_run(struct session *s, struct weft_error *err);

/* Blocks the signals and opens a descriptor that they arrive at. */
int signals_open(const sigset_t *set, int *ret_fd, struct weft_error *err);

/* Makes the terminal hand every key through as it is, and keeps what it was in *saved. */
int terminal_set_raw(int fd, struct termios *saved, struct weft_error *err);
void terminal_restore(int fd, const struct termios *saved);
