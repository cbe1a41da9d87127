" generated from the tables of scenarios/plan; go test ./scenarios/plan -update writes it
if exists('b:current_syntax') | finish | endif
syntax iskeyword @,48-57,_,-,.
syntax keyword batonStatement eventually on-failure sometimes randomly scenario tolerate control include service traffic always config expect repeat chaos storm topo wait doc end for let
highlight default link batonStatement Statement
syntax keyword batonException certificate duplicate handover corrupt reorder restore upgrade events freeze reload starve clear crash delay drain flood hears limit renew deaf disk down feed flap heal kill lose mend step stop thaw cut map run up
highlight default link batonException Exception
syntax keyword batonIdentifier backends clients stream garp sync arp bfd lb1 lb2 syn vip
highlight default link batonIdentifier Identifier
syntax keyword batonFunction connects_failed gap_tcp_max_ms gap_tcp_p50_ms gap_tcp_p99_ms gap_udp_max_ms restore_gap_ms role_changes sync_entries gap_tcp_max gap_tcp_p50 gap_tcp_p99 gap_udp_max handover_ms restore_gap takeover_ms forwarders incomplete rtt_max_ms rtt_p50_ms rtt_p99_ms unanswered unready_ms converged detect_ms exclusive announce sessions takeover unechoed verified dropped dual_ms masters replica rtt_max rtt_p50 rtt_p99 sync_ms unready detect served sticky strays gates moved rests dual exit kept lost gap rst
highlight default link batonFunction Function
syntax keyword batonConstant Claiming Yielding Backup Master insync Fault Init
highlight default link batonConstant Constant
syntax keyword batonOperator throughout capture within every stall from and not via in is
highlight default link batonOperator Operator
syntax keyword batonType least-conn connects dsr-ipip damaged expires foreign fullnat dsr-l2 maglev unread error flows probe track bulk dnat full hold ipv4 ipv6 pair sctp tcp udp rr
highlight default link batonType Type
syntax keyword batonLabel timeouts.direct_fin_wait limits.source_embryonic limits.syn_challenge timeouts.established limits.source_flows timeouts.unreplied timeouts.fin_wait timeouts.syn_sent arbiter.fail.lb1 arbiter.fail.lb2 arbiter.validity check.slow_start limits.embryonic source_embryonic sync.defer_limit timeouts.assured arbiter.deleted arbiter.gateway direct_fin_wait timeouts.closed arbiter.policy check.all_down check.interval arbiter.delay check.timeout syn_challenge track.targets arbiter.fail arbiter.from check.jitter limits.flows source_flows stream.break sync.version track.misses burst.begin clock.drift defer_limit established flow.events ha.announce ha.priority stream.dial track.every apply.fail burst.loss check.fall check.rise check.type clock.step drain.fail ha.preempt lease.fail slow_start snat_ports sync.defer burst.end dataplane dump.fail embryonic garp.lost max_flows send.fail stall.for unreplied affinity all_down bfd.mult clock.by deadline fin_wait ha.gates holdback interval oversize priority slow.for syn_sent validity assured backend balance gateway ha.hold preempt subject targets timeout version bfd.rx bfd.tx client closed jitter memory misses period policy rebind sample wander after burst close count defer files outer ports queue until fall good loss mode mult port rate rise size slow snat type bad cpu mtu pin way rx tx
highlight default link batonLabel Label
syntax match batonNumber /\%(\k\)\@<![0-9][0-9A-Za-z_.%]*\%(\/[A-Za-z]\+\)\?/
syntax match batonPlace /\<\%(client\|backend\)[0-9]\+\>/
syntax match batonVariable /\$[A-Za-z_][A-Za-z0-9_]*/
syntax match batonGuard /\[\%(netns\|sim\)\]/
syntax match batonText /\%(^\s*\%(scenario\|doc\|include\)\s\+\)\@<=.*$/
syntax match batonComment /#.*$/
highlight default link batonNumber Number
highlight default link batonPlace Identifier
highlight default link batonVariable Special
highlight default link batonGuard PreProc
highlight default link batonText String
highlight default link batonComment Comment
let b:current_syntax = 'baton'
