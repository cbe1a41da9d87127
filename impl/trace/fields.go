package trace

// The fields of each type of the schema, by their names in JSON. A line with a field that is
// missing here takes the slow path; the test of Decoder finds such a field.

func (s *scan) metaField(x *Meta, key []byte) {
	switch string(key) {
	case "version":
		x.Version = s.int()
	case "scenario":
		x.Scenario = s.string()
	case "world":
		x.World = s.string()
	case "sut":
		x.SUT = s.string()
	case "lacks":
		x.Lacks = s.strings()
	case "seed":
		x.Seed = s.unsigned()
	case "detect":
		x.Detect = s.duration()
	case "origin":
		x.Origin = once(s, x.Origin)
		s.object(func(key []byte) { s.originField(x.Origin, key) })
	default:
		s.bad = true
	}
}

func (s *scan) originField(x *Origin, key []byte) {
	switch string(key) {
	case "began":
		x.Began = s.string()
	case "file":
		x.File = s.string()
	case "set":
		x.Set = s.strings()
	case "allow_unsafe":
		x.AllowUnsafe = s.bool()
	case "args":
		x.Args = s.strings()
	case "host":
		s.object(func(key []byte) { s.hostField(&x.Host, key) })
	default:
		s.bad = true
	}
}

func (s *scan) hostField(x *Host, key []byte) {
	switch string(key) {
	case "kernel":
		x.Kernel = s.string()
	case "arch":
		x.Arch = s.string()
	case "cpu":
		x.CPU = s.string()
	case "cores":
		x.Cores = s.int()
	case "go":
		x.Go = s.string()
	case "baton":
		x.Baton = s.string()
	default:
		s.bad = true
	}
}

func (s *scan) roleField(x *Role, key []byte) {
	switch string(key) {
	case "from":
		x.From = s.string()
	case "to":
		x.To = s.string()
	case "reason":
		x.Reason = s.string()
	case "epoch":
		x.Epoch = s.uint32()
	case "gates":
		x.Gates = s.strings()
	case "closed":
		x.Closed = s.strings()
	case "refused":
		x.Refused = s.string()
	case "degraded":
		x.Degraded = s.bool()
	case "late":
		x.Late = s.duration()
	default:
		s.bad = true
	}
}

func (s *scan) gateField(x *Gate, key []byte) {
	switch string(key) {
	case "name":
		x.Name = s.string()
	case "open":
		x.Open = s.bool()
	case "why":
		x.Why = s.string()
	default:
		s.bad = true
	}
}

func (s *scan) bfdField(x *BFD, key []byte) {
	switch string(key) {
	case "path":
		x.Path = s.string()
	case "from":
		x.From = s.string()
	case "to":
		x.To = s.string()
	case "diag":
		x.Diag = s.string()
	case "detect":
		x.Detect = s.duration()
	default:
		s.bad = true
	}
}

func (s *scan) syncField(x *Sync, key []byte) {
	switch string(key) {
	case "phase":
		x.Phase = s.string()
	case "entries":
		x.Entries = s.int()
	case "total":
		x.Total = s.int()
	case "percent":
		x.Percent = s.float()
	case "lag":
		x.Lag = s.unsigned()
	case "rate":
		x.Rate = s.float()
	case "digest":
		x.Digest = s.string()
	case "why":
		x.Why = s.string()
	case "took":
		x.Took = s.duration()
	default:
		s.bad = true
	}
}

func (s *scan) leaseField(x *Lease, key []byte) {
	switch string(key) {
	case "until":
		x.Until = s.instant()
	case "relay":
		x.Relay = s.instant()
	default:
		s.bad = true
	}
}

func (s *scan) announceField(x *Announce, key []byte) {
	switch string(key) {
	case "count":
		x.Count = s.int()
	default:
		s.bad = true
	}
}

func (s *scan) faultField(x *Fault, key []byte) {
	switch string(key) {
	case "id":
		x.ID = s.int()
	case "hosts":
		x.Hosts = s.strings()
	case "directions":
		x.Directions = listOf(s, func() (d Direction) {
			s.object(func(key []byte) { s.directionField(&d, key) })
			return d
		})
	case "verb":
		x.Verb = s.string()
	case "target":
		x.Target = s.string()
	case "phase":
		x.Phase = s.string()
	case "receipt":
		x.Receipt = s.string()
	default:
		s.bad = true
	}
}

func (s *scan) directionField(x *Direction, key []byte) {
	switch string(key) {
	case "only":
		x.Only = s.string()
	case "link":
		x.Link = s.string()
	case "from":
		x.From = s.string()
	case "to":
		x.To = s.string()
	default:
		s.bad = true
	}
}

func (s *scan) stepField(x *Step, key []byte) {
	switch string(key) {
	case "index":
		x.Index = s.int()
	case "text":
		x.Text = s.string()
	case "phase":
		x.Phase = s.string()
	default:
		s.bad = true
	}
}

func (s *scan) trafficField(x *Traffic, key []byte) {
	switch string(key) {
	case "name":
		x.Name = s.string()
	case "flow":
		x.Flow = s.string()
	case "event":
		x.Event = s.string()
	case "why":
		x.Why = s.string()
	case "backend":
		x.Backend = s.string()
	case "tuple":
		x.Tuple = s.string()
	default:
		s.bad = true
	}
}

func (s *scan) gapField(x *Gap, key []byte) {
	switch string(key) {
	case "name":
		x.Name = s.string()
	case "flow":
		x.Flow = s.string()
	case "proto":
		x.Proto = s.string()
	case "from":
		x.From = s.instant()
	case "to":
		x.To = s.instant()
	case "missed":
		x.Missed = s.int()
	default:
		s.bad = true
	}
}

func (s *scan) totalsField(x *Totals, key []byte) {
	switch string(key) {
	case "name":
		x.Name = s.string()
	case "kind":
		x.Kind = s.string()
	case "proto":
		x.Proto = s.string()
	case "final":
		x.Final = s.bool()
	case "sessions":
		x.Sessions = s.int()
	case "opened":
		x.Opened = s.int()
	case "lost":
		x.Lost = s.int()
	case "failed":
		x.Failed = s.int()
	case "corrupt":
		x.Corrupt = s.int()
	case "moved":
		x.Moved = s.int()
	case "sent":
		x.Sent = s.unsigned()
	case "received":
		x.Received = s.unsigned()
	case "bytes":
		x.Bytes = s.unsigned()
	case "sample":
		x.Sample = s.int()
	case "verified":
		x.Verified = s.int()
	case "meant":
		x.Meant = s.unsigned()
	case "late":
		x.Late = s.unsigned()
	case "unstarted":
		x.Unstarted = s.unsigned()
	case "latest_ms":
		x.Latest = s.float()
	case "rtt_p50_ms":
		x.RTTp50 = s.float()
	case "rtt_p99_ms":
		x.RTTp99 = s.float()
	case "rtt_max_ms":
		x.RTTMax = s.float()
	case "latency":
		x.Latency = listOf(s, func() (x Latency) {
			s.object(func(key []byte) { s.latencyField(&x, key) })
			return x
		})
	case "began":
		x.Began = s.instant()
	case "ended":
		x.Ended = s.instant()
	default:
		s.bad = true
	}
}

func (s *scan) latencyField(x *Latency, key []byte) {
	switch string(key) {
	case "from":
		x.From = s.instant()
	case "answers":
		x.Answers = s.int()
	case "p50_ms":
		x.P50 = s.float()
	case "p90_ms":
		x.P90 = s.float()
	case "p99_ms":
		x.P99 = s.float()
	case "max_ms":
		x.Max = s.float()
	default:
		s.bad = true
	}
}

func (s *scan) rstField(x *RST, key []byte) {
	switch string(key) {
	case "edge":
		x.Edge = s.string()
	case "flow":
		x.Flow = s.string()
	case "sender":
		x.Sender = s.string()
	case "origin":
		x.Origin = s.string()
	case "lb":
		x.LB = s.string()
	case "role":
		x.Role = s.string()
	case "entry":
		x.Entry = s.string()
	case "fault":
		x.Fault = s.string()
	case "seq":
		x.Seq = s.uint32()
	default:
		s.bad = true
	}
}

func (s *scan) garpField(x *GARP, key []byte) {
	switch string(key) {
	case "edge":
		x.Edge = s.string()
	case "vip":
		x.VIP = s.string()
	default:
		s.bad = true
	}
}

func (s *scan) forwarderField(x *Forwarder, key []byte) {
	switch string(key) {
	case "edge":
		x.Edge = s.string()
	case "vip":
		x.VIP = s.string()
	case "from":
		x.From = s.string()
	case "last":
		x.Last = s.instant()
	case "frames":
		x.Frames = s.unsigned()
	default:
		s.bad = true
	}
}

func (s *scan) stallField(x *Stall, key []byte) {
	switch string(key) {
	case "took":
		x.Took = s.duration()
	case "line":
		x.Line = s.string()
	case "start":
		x.Start = s.string()
	default:
		s.bad = true
	}
}

func (s *scan) missedField(x *Missed, key []byte) {
	switch string(key) {
	case "what":
		x.What = s.string()
	case "count":
		x.Count = s.unsigned()
	case "why":
		x.Why = s.string()
	default:
		s.bad = true
	}
}

func (s *scan) replicaField(x *Replica, key []byte) {
	switch string(key) {
	case "entries":
		x.Entries = s.int()
	case "digest":
		x.Digest = s.string()
	default:
		s.bad = true
	}
}

func (s *scan) refusedField(x *Refused, key []byte) {
	switch string(key) {
	case "service":
		x.Service = s.string()
	case "why":
		x.Why = s.string()
	case "count":
		x.Count = s.unsigned()
	default:
		s.bad = true
	}
}

func (s *scan) loopField(x *Loop, key []byte) {
	switch string(key) {
	case "for":
		x.For = s.duration()
	case "timers":
		x.Timers = s.int()
	case "idle":
		x.Idle = s.int()
	case "late":
		x.Late = s.int()
	case "replies":
		x.Replies = s.int()
	default:
		s.bad = true
	}
}

func (s *scan) programField(x *Program, key []byte) {
	switch string(key) {
	case "name":
		x.Name = s.string()
	case "exit":
		x.Exit = s.int()
	case "why":
		x.Why = s.string()
	case "took":
		x.Took = s.duration()
	case "last":
		x.Last = s.string()
	case "output":
		x.Output = s.string()
	case "cut":
		x.Cut = s.bool()
	default:
		s.bad = true
	}
}

func (s *scan) diedField(x *Died, key []byte) {
	switch string(key) {
	case "why":
		x.Why = s.string()
	default:
		s.bad = true
	}
}

func (s *scan) lossField(x *Loss, key []byte) {
	switch string(key) {
	case "planned":
		x.Planned = s.bool()
	case "count":
		x.Count = s.int()
	case "where":
		x.Where = s.string()
	case "why":
		x.Why = s.string()
	default:
		s.bad = true
	}
}

func (s *scan) leakField(x *Leak, key []byte) {
	switch string(key) {
	case "what":
		x.What = s.string()
	default:
		s.bad = true
	}
}
