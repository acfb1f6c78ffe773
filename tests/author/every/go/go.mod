module native-plugin.example/every_go

go 1.21

require native-plugin.example v0.0.0

replace native-plugin.example => KIT
