/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Memory for the processing of one packet: with IPv6, a per-CPU map, since the addresses do
 * not fit into the stack.
 */
#pragma once

#include "percpu.h"

#define DEFINE_ROOM(T, name) DEFINE_PERCPU(T, name)
#define TAKE_ROOM(T, name) TAKE_PERCPU(name)
