# Draws the charts of bench/results from data/*.dat (bench_report).
set terminal svg size 820,460 dynamic font "sans-serif,13" background "#ffffff"
set grid back lc rgb "#dddddd"
set key outside right top
set style data linespoints
array names[7] = ["NIF, in process", "dirty NIF", "isolated", "port", "C node", "erpc", "isolated, zero\\_copy"]

set logscale xy
set format x "%.0s %cB"
set xlabel "bytes"
set ylabel "microseconds a call (p50)"
set output "latency_argument.svg"
set title "A binary argument whose bytes are all read"
plot for [i=1:6] "data/arg.dat" using 1:(column(i+1)) title names[i] lw (i==3 ? 3 : 1.5)
set output "latency_result.svg"
set title "A binary result"
plot for [i=1:7] "data/result.dat" using 1:(column(i+1)) title names[i] lw (i==3 ? 3 : 1.5)

unset logscale x
set format x "%g"
set output "percentiles.svg"
set title "add(1, 2)"
set xlabel ""
set ylabel "microseconds a call"
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.8 border -1
set xtics rotate by -25
plot "data/percentiles.dat" using 2:xtic(1) title "p50", "" using 3 title "p90", "" using 4 title "p99"

unset logscale y
set style data linespoints
set output "throughput.svg"
set title "Isolated calls of add(1, 2) by many processes"
set xtics norotate (1, 2, 4, 8, 16)
set xlabel "processes"
set ylabel "million calls a second"
set yrange [0:*]
plot "data/throughput.dat" using 1:2 title "two CPUs", "" using 1:3 title "+S 1", "" using 1:4 title "one CPU"
