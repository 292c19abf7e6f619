// Kinds of the Prometheus Operator, taken as files; this module holds no code.
module hashinsight.net/localcluster/monitoring

go 1.26.0

require github.com/prometheus-operator/prometheus-operator v0.85.0 // indirect
