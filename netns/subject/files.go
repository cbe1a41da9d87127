package subject

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"text/template"

	"baton/scenarios/lab"
)

// generated are files that are written for every adapter, used or not: the scenario's
// services as configurations of common programs.
var generated = []struct{ variable, name, text string }{
	{"BATON_RULESET", "ruleset.nft", `flush ruleset
table ip baton {
  chain local { type filter hook input priority 0; }
  chain inward { type nat hook prerouting priority -100;
{{- range .Services}}
    ip daddr {{.VIP}} {{.Proto}} dport {{.Port}} dnat to numgen random mod {{len $.Backends}} map { {{range $i, $b := $.Backends}}{{if $i}}, {{end}}{{$i}} : {{$b}}{{end}} }
{{- end}}
  }
  chain outward { type nat hook postrouting priority 100;
{{- range .Services}}{{if eq .Mode "fullnat"}}
    oifname {{$.Device}} {{.Proto}} dport {{.Port}} snat to {{$.BackendVIP}}
{{- end}}{{end}}
  }
}
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

// writeGenerated writes the files into a node's folder and returns the variables with their
// paths.
func writeGenerated(l Lab, node, dir string) (env []string, err error) {
	topo := l.Plan.Topo.Lab()
	own, _ := topo.Host(node)
	peer, _ := topo.Host(lab.Peer(node))
	var backends []string
	for _, b := range topo.Members(lab.Backends) {
		backends = append(backends, b.Addr(lab.Backends, lab.IPv4).String())
	}
	data := map[string]any{"Services": services(l.Plan), "Backends": backends, "Device": l.Devices[lab.Backends], "BackendVIP": lab.IPv4.BackendVIP(),
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
