module native-plugin.example/codec_go

go 1.21

require native-plugin.example v0.0.0

replace native-plugin.example => ../../../include/go
