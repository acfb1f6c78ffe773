module native-plugin.example

go 1.21
