package subject

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"text/template"

	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// generated are files that are written for every adapter, used or not: the scenario's
// services as configurations of common programs.
var generated = []struct{ variable, name, text string }{
	{"BATON_RULESET", "ruleset.nft", `flush ruleset
{{- range $f := .Families}}
table {{.Table}} baton {
  chain local { type filter hook input priority 0; }
  chain inward { type nat hook prerouting priority -100;
{{- range .Services}}
    {{$f.Table}} daddr {{.VIP}} {{.Proto}} dport {{.Port}} dnat to numgen random mod {{len $f.Backends}} map { {{range $i, $b := $f.Backends}}{{if $i}}, {{end}}{{$i}} : {{$b}}{{end}} }
{{- end}}
  }
  chain outward { type nat hook postrouting priority 100;
{{- range .Services}}{{if eq .Mode "fullnat"}}
    oifname {{$.Device}} {{.Proto}} dport {{.Port}} snat to {{$f.BackendVIP}}
{{- end}}{{end}}
  }
}
{{- end}}
`},
	{"BATON_CONNTRACKD", "conntrackd.conf", `Sync {
  Mode FTFW { DisableExternalCache On }
  UDP {
    IPv4_address {{.Own}}
    IPv4_Destination_Address {{.Peer}}
    Port 3780
    Interface {{.SyncDevice}}
    SndSocketBuffer 1249280
    RcvSocketBuffer 1249280
  }
}
General {
  HashSize 32768
  HashLimit 262144
  NetlinkBufferSize 2097152
  NetlinkBufferSizeMaxGrowth 8388608
  LockFile /run/conntrackd.lock
  UNIX { Path /run/conntrackd.ctl }
  LogFile {{.Dir}}/conntrackd.log
  Filter From Userspace { Protocol Accept { TCP UDP } }
}
`},
}

// ruled is the ruleset's data of a family.
type ruled struct {
	Table      string // of nftables
	Services   []plan.Service
	Backends   []netip.Addr
	BackendVIP netip.Addr
}

func ruledOf(p *plan.Plan, f lab.Family) ruled {
	r := ruled{Table: [lab.Families]string{lab.IPv4: "ip", lab.IPv6: "ip6"}[f], BackendVIP: f.BackendVIP(),
		Services: slices.DeleteFunc(services(p), func(s plan.Service) bool { return s.Family() != f })}
	for _, b := range p.Lab().Members(lab.Backends) {
		r.Backends = append(r.Backends, b.Addr(lab.Backends, f))
	}
	return r
}

// writeGenerated writes the files into a node's folder and returns the variables with their
// paths.
func writeGenerated(l Lab, node, dir string) (env []string, err error) {
	topo := l.Plan.Lab()
	own, _ := topo.Host(node)
	peer, _ := topo.Host(lab.Peer(node))
	var families []ruled
	for _, f := range topo.Families() {
		families = append(families, ruledOf(l.Plan, f))
	}
	data := map[string]any{"Families": families, "Device": l.Devices[lab.Backends],
		"Own": own.Addr(lab.Sync, lab.IPv4), "Peer": peer.Addr(lab.Sync, lab.IPv4), "SyncDevice": l.Devices[lab.Sync], "Dir": dir}
	for _, f := range generated {
		var text bytes.Buffer
		if err := template.Must(template.New(f.name).Parse(f.text)).Execute(&text, data); err != nil {
			return nil, fmt.Errorf("subject: %s: %w", f.name, err)
		}
		file := filepath.Join(dir, f.name)
		if err := os.WriteFile(file, text.Bytes(), 0o644); err != nil {
			return nil, fmt.Errorf("subject: %w", err)
		}
		env = append(env, f.variable+"="+file)
	}
	return env, nil
}
