local roll = require "rol"
return roll
