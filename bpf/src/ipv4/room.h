/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Memory for the processing of one packet: with IPv4, on the stack.
 */
#pragma once

#define DEFINE_ROOM(T, name)
#define TAKE_ROOM(T, name) (&(T){})
