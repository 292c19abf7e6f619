// Kinds of Flux's source-controller, taken as files; this module holds no code.
module hashinsight.net/localcluster/sources

go 1.26.7

require github.com/fluxcd/source-controller v1.9.6 // indirect
