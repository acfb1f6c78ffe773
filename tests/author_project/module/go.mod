module example/module

go 1.21

require native-plugin.example v0.0.0

replace native-plugin.example => "../../site packages/loader/include/go"
