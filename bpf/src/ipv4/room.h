/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Memory for what a packet needs while it is processed: of IPv4, the stack.
 */
#pragma once

#define DEFINE_ROOM(T, name)
#define TAKE_ROOM(T, name) (&(T){})
